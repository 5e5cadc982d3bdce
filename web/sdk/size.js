// Prints the size of the SDK in an app, and fails if it is above the limit.
import { buildSync } from 'esbuild'
import { gzipSync } from 'node:zlib'

const limit = 10 * 1024
const { outputFiles } = buildSync({ entryPoints: ['src/index.ts'], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false })
const { contents } = outputFiles[0]
const size = gzipSync(contents, { level: 9 }).length
console.log(`onair: ${contents.length} bytes, ${size} gzipped, limit ${limit}`)
if (size > limit) process.exit(1)
