// Compresses the built files. The server sends the variant that the browser accepts.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const minSize = 1024
const dist = new URL('../dist', import.meta.url).pathname
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name)
  if (!statSync(path).isFile() || !/\.(html|js|css|svg|json)$/.test(name)) continue
  const content = readFileSync(path)
  if (content.length < minSize) continue
  writeFileSync(path + '.gz', gzipSync(content, { level: 9 }))
  writeFileSync(path + '.br', brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
}
