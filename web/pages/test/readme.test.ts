// The first example of the SDK's README, with the package as npm packs it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestEnvironment } from './environment.js'

const sdk = join(import.meta.dirname, '../../sdk')
let env: TestEnvironment
let dir: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'onair-package-'))
  env = new TestEnvironment()
  await env.startServer('--heartbeat.interval', '60s') // the session of the test has no beats
})

afterAll(async () => {
  await env.close()
  rmSync(dir, { recursive: true })
})

test('the example renders a list in at most fifteen lines', async () => {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', dir], { cwd: sdk }).toString()) as [{ filename: string, files: { path: string }[] }]
  const files = packed.files.map(f => f.path)
  for (const path of ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts']) expect(files).toContain(path)
  expect(files.filter(f => f.startsWith('src') || f.startsWith('test'))).toEqual([])
  execFileSync('tar', ['xzf', join(dir, packed.filename), '-C', dir])

  const example = /```html\n([^]*?)```/.exec(readFileSync(join(sdk, 'README.md'), 'utf8'))![1]!
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(15)
  const page = await env.openPage('/')
  await page.route('**/example', route => route.fulfill({
    contentType: 'text/html', body: '<!doctype html><script type="importmap">{"imports":{"onair":"/package/index.js"}}</script>' + example.replace('https://live.example.com', env.server.url),
  }))
  await page.route('**/package/*', route => route.fulfill({
    contentType: 'text/javascript', body: readFileSync(join(dir, 'package/dist', new URL(route.request().url()).pathname.split('/').at(-1)!), 'utf8'),
  }))
  await page.goto(env.server.url + '/example')
  await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'alice'), { title: 'Hello' })
  await page.getByText('Hello: 0 watching').waitFor()
  expect(readdirSync(join(dir, 'package'))).toContain('LICENSE')
})
