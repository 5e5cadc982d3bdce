// Prints what the package weighs in an app, and fails when that is too much.
import { buildSync } from 'esbuild'
import { gzipSync } from 'node:zlib'

const most = 10 * 1024
const { outputFiles } = buildSync({ entryPoints: ['src/index.ts'], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false })
const size = gzipSync(outputFiles[0].contents, { level: 9 }).length
console.log(`onair: ${outputFiles[0].contents.length} bytes, ${size} gzipped, of ${most}`)
if (size > most) process.exit(1)
