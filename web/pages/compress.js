// Puts a compressed file beside each that is worth it: the server sends what the browser takes.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist', import.meta.url).pathname
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name)
  if (!statSync(path).isFile() || !/\.(html|js|css|svg|json)$/.test(name)) continue
  const text = readFileSync(path)
  if (text.length < 1024) continue
  writeFileSync(path + '.gz', gzipSync(text, { level: 9 }))
  writeFileSync(path + '.br', brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
}
