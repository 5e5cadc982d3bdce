// The pages in a real browser, with the server's binary.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { TestEnvironment } from './environment.js'

let env: TestEnvironment

/** Restarts the server with an interval that is longer than a test, so that sessions stay on air without beats. */
async function useLongInterval(...flags: string[]): Promise<void> {
  await env.server.stop()
  await env.startServer('--heartbeat.interval', '60s', '--settings.revision', '2', ...flags)
}

beforeEach(async () => {
  env = new TestEnvironment()
  await env.startServer()
})

afterEach(async () => {
  await env.close()
  expect(env.pageErrors).toEqual([])
})

const anchorTile = (page: Page, sub: string) => page.locator(`.tile[data-code="8888_${sub}"]`)

test('the wall shows a broadcast of the studio, its viewers and its likes', async () => {
  const wall = await env.openPage('/')
  await wall.getByText('Nobody is on air.').waitFor()
  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'Hello', 'game, 音乐')
  await anchorTile(wall, 'alice').getByText('live', { exact: true }).waitFor({ timeout: 5_000 })
  expect(await anchorTile(wall, 'alice').innerText()).toMatch(/Hello\s+alice[^]*game · 音乐/)
  expect(await studio.getByLabel('RTMP').inputValue()).toMatch(/^rtmp:.*\/live\/8888_alice\?txSecret=/)
  await studio.locator('.beats li.acknowledged').nth(1).waitFor()

  const watcher = await env.openPage('/')
  await anchorTile(watcher, 'alice').click()
  await watcher.getByRole('button', { name: 'Like', exact: true }).click()
  await anchorTile(wall, 'alice').getByText('1 watching').waitFor()
  await anchorTile(wall, 'alice').getByText('♥ 1').waitFor()
  await watcher.getByRole('button', { name: 'Close' }).click()
  await anchorTile(wall, 'alice').getByText('0 watching').waitFor()
  await env.screenshot(wall, 'wall')
  await env.screenshot(studio, 'studio')

  await studio.getByLabel('Title').fill('Changed')
  await studio.getByRole('button', { name: 'Update' }).click()
  await anchorTile(wall, 'alice').getByText('Changed').waitFor()
  await studio.getByRole('button', { name: 'Stop' }).click()
  await wall.getByText('Nobody is on air.').waitFor()
  await studio.getByText('Ended: stopped').waitFor()
})

test('after a crash a broadcast is away, and ends after three missed beats', async () => {
  const wall = await env.openPage('/')
  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'x')
  await anchorTile(wall, 'alice').getByText('live', { exact: true }).waitFor()
  await studio.getByRole('button', { name: 'Crash' }).click()
  await anchorTile(wall, 'alice').getByText('back soon').waitFor()
  await env.screenshot(wall, 'wall-away')
  await wall.getByText('Nobody is on air.').waitFor()
  await studio.getByRole('button', { name: 'Resume' }).click()
  await studio.getByText('Ended: missed_beats').waitFor()
})

test('the studio resumes its broadcast after a reload and after a crash', async () => {
  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'x')
  const startedAt = async () => (await (await env.callServer('GET', '/v1/streams/8888_alice', env.server.newToken('admin', 'op'))).json() as { started_at: number }).started_at
  const first = await startedAt()
  await studio.reload()
  await studio.waitForSelector('.broadcast.live')
  await studio.getByRole('button', { name: 'Crash' }).click()
  await studio.getByRole('button', { name: 'Resume' }).click()
  await studio.waitForSelector('.broadcast.live')
  expect(await startedAt()).toBe(first)
  const wall = await env.openPage('/')
  await anchorTile(wall, 'alice').waitFor()
  await studio.getByRole('button', { name: 'Forget token' }).click()
  await wall.getByText('Nobody is on air.').waitFor() // no anchor beats in the background
})

test('pages work with invalid addresses, without storage, and with low limits', async () => {
  await useLongInterval('--limits.window', '100')
  await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'alice'), { title: 'Here' })
  const wall = await env.openPage('/#watch=100%')
  await wall.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new Error('storage is forbidden') } })
  })
  await wall.reload()
  await anchorTile(wall, 'alice').waitFor()
  await wall.goto(env.server.url + '/studio')
  await wall.fill('textarea', env.server.newToken('anchor', 'bob'))
  await wall.getByRole('button', { name: 'Use token' }).click()
  await env.goLive(wall, 'Not stored')
})

test('pages reconnect after a restart of the server', async () => {
  const wall = await env.openPage('/')
  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'x')
  await anchorTile(wall, 'alice').waitFor()
  await env.server.stop('SIGKILL')
  await wall.getByText('connection lost').waitFor()
  await studio.waitForSelector('.broadcast.interrupted')
  await env.screenshot(studio, 'studio-interrupted')
  await env.startServer()
  await wall.getByText('connected', { exact: true }).waitFor()
  await studio.waitForSelector('.broadcast.live')
  await anchorTile(wall, 'alice').getByText('live', { exact: true }).waitFor()
})

test('texts of users are not interpreted as HTML', async () => {
  await useLongInterval()
  const wall = await env.openPage('/')
  await wall.evaluate(() => Object.assign(globalThis, { executed: 0 }))
  const markup = '<img src=x onerror="executed=1"><script>executed=1</script>"\'`${executed=1}'
  await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'eve'), {
    title: markup, tags: ['<b onmouseover=executed=1>t</b>'.slice(0, 60)], cover: 'https://127.0.0.1:1/"onerror="executed=1', extra: { html: markup },
  })
  await anchorTile(wall, 'eve').waitFor()
  expect(await anchorTile(wall, 'eve').locator('.title').innerText()).toBe(markup)
  await anchorTile(wall, 'eve').click()
  await wall.getByRole('heading', { name: markup }).waitFor()
  await anchorTile(wall, 'eve').hover({ force: true })
  expect(await wall.evaluate(() => (globalThis as unknown as { executed: number }).executed)).toBe(0)
  expect(await wall.locator('main script, main b').count()).toBe(0)
})

test('the wall searches, filters and sorts, and renders the visible tiles alone', async () => {
  await useLongInterval()
  for (let i = 0; i < 120; i++) {
    await env.callServer('POST', '/v1/streams', env.server.newToken('backend', 'app'), { anchor: `u${i}`, title: `Stream ${i}`, tags: [i % 2 ? 'odd' : 'even'] })
  }
  const wall = await env.openPage('/')
  await wall.getByText('120 on air').waitFor()
  expect(await wall.locator('.tile').count()).toBeLessThan(60) // the visible ones
  await wall.getByLabel('Search').fill('stream 11')
  await expect.poll(() => wall.locator('.tile').count()).toBe(11)
  await wall.getByLabel('Tag').selectOption('odd')
  await expect.poll(() => wall.locator('.tile').count()).toBe(6)
  await wall.getByLabel('Search').fill('nothing like it')
  await wall.getByText('Nothing here matches.').waitFor()
  await wall.getByLabel('Search').fill('')
  await wall.getByLabel('Sort').selectOption('started')
  await anchorTile(wall, 'u119').waitFor()
  await wall.evaluate(() => scrollTo(0, document.body.scrollHeight))
  await anchorTile(wall, 'u1').waitFor()
})

test('the studio asks for a token again after a refusal', async () => {
  const studio = await env.openPage('/studio')
  await studio.fill('textarea', 'no.token.atall')
  await studio.getByRole('button', { name: 'Use token' }).click()
  await studio.getByLabel('Title').fill('x')
  await studio.getByRole('button', { name: 'Go live' }).click()
  await studio.getByText('The token was refused.').waitFor()
})

test('pages work in Chinese, in the dark scheme, and on a phone', async () => {
  await useLongInterval()
  await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'alice'), { title: '你好' })
  const options = { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 360, height: 740 } } as const
  const wall = await env.openPage('/', options)
  await wall.getByText('1 路直播').waitFor()
  expect(await wall.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await env.screenshot(wall, 'wall-phone')
  await wall.getByRole('button', { name: 'English' }).click()
  await wall.getByText('1 on air').waitFor()
  const studio = await env.openStudio('bob', { ...options, locale: 'en-GB' })
  await env.goLive(studio, 'x')
  expect(await studio.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await env.screenshot(studio, 'studio-phone')
  const console = await env.openConsole({ ...options, locale: 'en-GB' })
  await console.getByRole('link', { name: 'Addresses' }).click()
  await console.getByLabel('Live code').fill('8888_carol')
  await console.getByRole('button', { name: 'Generate' }).click()
  await console.getByLabel('RTMP').first().waitFor()
  for (const parts of await console.locator('summary').all()) await parts.click()
  expect(await console.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await env.screenshot(console, 'console-phone')
})

test('the console explains, kicks and bans, and signs addresses', async () => {
  await useLongInterval()
  const studio = await env.openStudio('alice')
  await env.goLive(studio, 'To be kicked')
  const console = await env.openConsole()
  await console.getByRole('button', { name: 'To be kicked' }).waitFor()
  await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'bob'), { title: 'From an app' })
  await console.getByLabel('State').selectOption('starting')
  await console.getByRole('button', { name: 'From an app' }).waitFor()
  expect(await console.getByRole('button', { name: 'To be kicked' }).count()).toBe(0)
  await console.getByLabel('State').selectOption('on air')
  await console.getByRole('button', { name: 'To be kicked' }).click()
  const dialog = console.locator('dialog').first()
  await dialog.getByText('heartbeat', { exact: true }).first().waitFor()
  await env.screenshot(console, 'console-why')
  await dialog.getByRole('button', { name: 'Kick' }).click()
  await console.locator('dialog').last().getByRole('button', { name: 'Kick' }).click()
  await studio.getByText('Ended: kicked').waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
  await console.getByLabel('State').selectOption('ended')
  await console.getByRole('button', { name: 'To be kicked' }).waitFor()
  await env.screenshot(console, 'console')

  await console.getByRole('link', { name: 'Bans' }).click()
  await console.getByLabel('Anchor').fill('alice')
  await console.getByRole('button', { name: 'Look up' }).click()
  await console.getByRole('button', { name: 'Ban', exact: true }).click()
  await console.locator('dialog').getByRole('button', { name: 'Ban', exact: true }).click()
  await console.getByRole('button', { name: 'Lift ban' }).waitFor()
  expect((await fetch(env.server.url + '/v1/streams', { method: 'POST', headers: { Authorization: 'Bearer ' + env.server.newToken('anchor', 'alice') }, body: '{"title":"x"}' })).status).toBe(403)

  await console.getByRole('link', { name: 'Addresses' }).click()
  await console.getByLabel('Live code').fill('8888_carol')
  await console.getByRole('button', { name: 'Generate' }).click()
  expect(await console.getByLabel('RTMP').first().inputValue()).toMatch(/8888_carol\?txSecret=[0-9a-f]{32}&txTime=[0-9A-F]{8}$/)
  await console.getByText('RTMP', { exact: false }).locator('..').first().waitFor()
  await env.screenshot(console, 'console-addresses')
  await console.getByRole('link', { name: 'Charts' }).click()
  await console.locator('canvas').first().waitFor()
  await console.getByLabel('Node').waitFor()
  // Rates need two samples.
  await console.locator('.legend li', { hasText: 'messages to sockets' }).filter({ hasText: /\d/ }).waitFor()
  await console.locator('.legend li', { hasText: '% of a core' }).filter({ hasText: /\d/ }).waitFor()
  await env.screenshot(console, 'console-charts')
})

test('axe finds no serious accessibility violation', async () => {
  await useLongInterval()
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const violations = async (page: Page) => {
    await page.evaluate(axe)
    const result = await page.evaluate('axe.run()') as { violations: { id: string, impact: string, nodes: { html: string }[] }[] }
    return result.violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`)
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    await env.callServer('POST', '/v1/streams', env.server.newToken('anchor', 'bob'), { title: 'x', tags: ['t'] })
    const wall = await env.openPage('/', { colorScheme })
    await anchorTile(wall, 'bob').waitFor()
    expect(await violations(wall)).toEqual([])
    await anchorTile(wall, 'bob').click()
    await wall.locator('dialog[open]').waitFor()
    expect(await violations(wall)).toEqual([])
    const studio = await env.openStudio(`alice-${colorScheme}`, { colorScheme })
    expect(await violations(studio)).toEqual([])
    await env.goLive(studio, 'x')
    expect(await violations(studio)).toEqual([])
    const console = await env.openConsole({ colorScheme })
    await console.getByRole('button', { name: 'x' }).first().waitFor()
    expect(await violations(console)).toEqual([])
    await console.getByRole('button', { name: 'x' }).first().click()
    await console.locator('dialog table').waitFor()
    expect(await violations(console)).toEqual([])
    await console.getByRole('button', { name: 'Close' }).click()
    for (const section of ['Charts', 'Recordings', 'Bans', 'Addresses', 'Dead letters']) {
      await console.getByRole('link', { name: section }).click()
      expect(await violations(console)).toEqual([])
    }
  }
})
