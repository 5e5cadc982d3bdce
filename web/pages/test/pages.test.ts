// The pages in a real browser, before the server as it is.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { Stage } from './stage.js'

let stage: Stage

beforeEach(async () => {
  stage = new Stage()
  await stage.serve()
})

afterEach(async () => {
  await stage.close()
  expect(stage.complaints).toEqual([])
})

const tile = (page: Page, sub: string) => page.locator(`.tile[data-code="8888_${sub}"]`)

test('a broadcast from the studio is on the wall, and its counts move', async () => {
  const wall = await stage.page('/')
  await wall.getByText('Nobody is on air.').waitFor()
  const studio = await stage.studio('alice')
  await stage.goLive(studio, 'Hello', 'game, 音乐')
  await tile(wall, 'alice').getByText('live', { exact: true }).waitFor({ timeout: 5_000 })
  expect(await tile(wall, 'alice').innerText()).toMatch(/Hello\s+alice[^]*game · 音乐/)
  expect(await studio.getByLabel('RTMP').inputValue()).toMatch(/^rtmp:.*\/live\/8888_alice\?txSecret=/)
  await studio.locator('.beats li.heard').nth(1).waitFor()

  const other = await stage.page('/')
  await tile(other, 'alice').click()
  await other.getByRole('button', { name: 'Like', exact: true }).click()
  await tile(wall, 'alice').getByText('1 watching').waitFor()
  await tile(wall, 'alice').getByText('♥ 1').waitFor()
  await other.getByRole('button', { name: 'Close' }).click()
  await tile(wall, 'alice').getByText('0 watching').waitFor()
  await stage.picture(wall, 'wall')
  await stage.picture(studio, 'studio')

  await studio.getByLabel('Title').fill('Changed')
  await studio.getByRole('button', { name: 'Update' }).click()
  await tile(wall, 'alice').getByText('Changed').waitFor()
  await studio.getByRole('button', { name: 'Stop' }).click()
  await wall.getByText('Nobody is on air.').waitFor()
  await studio.getByText('Ended: stopped').waitFor()
})

test('crash: back soon, and gone after three missed beats', async () => {
  const wall = await stage.page('/')
  const studio = await stage.studio('alice')
  await stage.goLive(studio, 'x')
  await tile(wall, 'alice').getByText('live', { exact: true }).waitFor()
  await studio.getByRole('button', { name: 'Crash' }).click()
  await tile(wall, 'alice').getByText('back soon').waitFor()
  await stage.picture(wall, 'wall-away')
  await wall.getByText('Nobody is on air.').waitFor()
  await studio.getByRole('button', { name: 'Come back' }).click()
  await studio.getByText('Ended: missed_beats').waitFor()
})

test('a reload of the studio, and a return after a crash, keep the broadcast', async () => {
  const studio = await stage.studio('alice')
  await stage.goLive(studio, 'x')
  const began = async () => (await (await stage.call('GET', '/v1/streams/8888_alice', stage.token('admin', 'op'))).json() as { started_at: number }).started_at
  const first = await began()
  await studio.reload()
  await studio.waitForSelector('.broadcast.live')
  await studio.getByRole('button', { name: 'Crash' }).click()
  await studio.getByRole('button', { name: 'Come back' }).click()
  await studio.waitForSelector('.broadcast.live')
  expect(await began()).toBe(first)
  const wall = await stage.page('/')
  await tile(wall, 'alice').waitFor()
  await studio.getByRole('button', { name: 'Forget the token' }).click()
  await wall.getByText('Nobody is on air.').waitFor() // nothing beats on unseen
})

test('odd addresses, browsers that keep nothing, servers with short lists', async () => {
  await stage.stop()
  await stage.serve('--limits.window', '100')
  await stage.call('POST', '/v1/streams', stage.token('anchor', 'alice'), { title: 'Here' })
  const wall = await stage.page('/#watch=100%')
  await wall.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new Error('not allowed') } })
  })
  await wall.reload()
  await tile(wall, 'alice').waitFor()
  await wall.goto(stage.url + '/studio')
  await wall.fill('textarea', stage.token('anchor', 'bob'))
  await wall.getByRole('button', { name: 'Use it' }).click()
  await stage.goLive(wall, 'Unkept')
})

test('the server starts again: nobody reloads', async () => {
  const wall = await stage.page('/')
  const studio = await stage.studio('alice')
  await stage.goLive(studio, 'x')
  await tile(wall, 'alice').waitFor()
  await stage.stop('SIGKILL')
  await wall.getByText('connection lost').waitFor()
  await studio.waitForSelector('.broadcast.interrupted')
  await stage.picture(studio, 'studio-interrupted')
  await stage.serve()
  await wall.getByText('connected', { exact: true }).waitFor()
  await studio.waitForSelector('.broadcast.live')
  await tile(wall, 'alice').getByText('live', { exact: true }).waitFor()
})

test('what people write is text', async () => {
  const wall = await stage.page('/')
  await wall.evaluate(() => Object.assign(globalThis, { broken: 0 }))
  const evil = '<img src=x onerror="broken=1"><script>broken=1</script>"\'`${broken=1}'
  await stage.call('POST', '/v1/streams', stage.token('anchor', 'eve'), {
    title: evil, tags: ['<b onmouseover=broken=1>t</b>'.slice(0, 60)], cover: 'https://127.0.0.1:1/"onerror="broken=1', extra: { html: evil },
  })
  await tile(wall, 'eve').waitFor()
  expect(await tile(wall, 'eve').locator('.title').innerText()).toBe(evil)
  await tile(wall, 'eve').click()
  await wall.getByRole('heading', { name: evil }).waitFor()
  await tile(wall, 'eve').hover({ force: true })
  expect(await wall.evaluate(() => (globalThis as unknown as { broken: number }).broken)).toBe(0)
  expect(await wall.locator('main script, main b').count()).toBe(0)
})

test('search, tags, sort, and many tiles', async () => {
  for (let i = 0; i < 120; i++) {
    await stage.call('POST', '/v1/streams', stage.token('backend', 'app'), { anchor: `u${i}`, title: `Stream ${i}`, tags: [i % 2 ? 'odd' : 'even'] })
  }
  const wall = await stage.page('/')
  await wall.getByText('120 on air').waitFor()
  expect(await wall.locator('.tile').count()).toBeLessThan(60) // those in sight
  await wall.getByLabel('Search').fill('stream 11')
  await expect.poll(() => wall.locator('.tile').count()).toBe(11)
  await wall.getByLabel('Tag').selectOption('odd')
  await expect.poll(() => wall.locator('.tile').count()).toBe(6)
  await wall.getByLabel('Search').fill('nothing like it')
  await wall.getByText('Nothing here matches.').waitFor()
  await wall.getByLabel('Search').fill('')
  await wall.getByLabel('Sort').selectOption('started')
  await tile(wall, 'u119').waitFor()
  await wall.evaluate(() => scrollTo(0, document.body.scrollHeight))
  await tile(wall, 'u1').waitFor()
})

test('a token that is refused is asked for again', async () => {
  const studio = await stage.page('/studio')
  await studio.fill('textarea', 'no.token.atall')
  await studio.getByRole('button', { name: 'Use it' }).click()
  await studio.getByLabel('Title').fill('x')
  await studio.getByRole('button', { name: 'Go live' }).click()
  await studio.getByText('The token was refused.').waitFor()
})

test('in Chinese, in the dark, on a phone', async () => {
  await stage.call('POST', '/v1/streams', stage.token('anchor', 'alice'), { title: '你好' })
  const options = { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 360, height: 740 } } as const
  const wall = await stage.page('/', options)
  await wall.getByText('1 路直播').waitFor()
  expect(await wall.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await stage.picture(wall, 'wall-phone')
  await wall.getByRole('button', { name: 'English' }).click()
  await wall.getByText('1 on air').waitFor()
  const studio = await stage.studio('bob', { ...options, locale: 'en-GB' })
  await stage.goLive(studio, 'x')
  expect(await studio.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await stage.picture(studio, 'studio-phone')
  const desk = await stage.console({ ...options, locale: 'en-GB' })
  await desk.getByRole('link', { name: 'Addresses' }).click()
  await desk.getByLabel('Live code').fill('8888_carol')
  await desk.getByRole('button', { name: 'Generate' }).click()
  await desk.getByLabel('RTMP').first().waitFor()
  for (const parts of await desk.locator('summary').all()) await parts.click()
  expect(await desk.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await stage.picture(desk, 'console-phone')
})

test('the console: who is live and why, kick, ban, addresses', async () => {
  await stage.call('POST', '/v1/streams', stage.token('anchor', 'bob'), { title: 'From an app' })
  const studio = await stage.studio('alice')
  await stage.goLive(studio, 'To be kicked')
  const desk = await stage.console()
  await desk.getByRole('button', { name: 'To be kicked' }).waitFor()
  await desk.getByLabel('State').selectOption('starting')
  await desk.getByRole('button', { name: 'From an app' }).waitFor()
  expect(await desk.getByRole('button', { name: 'To be kicked' }).count()).toBe(0)
  await desk.getByLabel('State').selectOption('on air')
  await desk.getByRole('button', { name: 'To be kicked' }).click()
  const why = desk.locator('dialog').first()
  await why.getByText('heartbeat', { exact: true }).first().waitFor()
  await stage.picture(desk, 'console-why')
  await why.getByRole('button', { name: 'Kick' }).click()
  await desk.locator('dialog').last().getByRole('button', { name: 'Kick' }).click()
  await studio.getByText('Ended: kicked').waitFor()
  await why.getByRole('button', { name: 'Close' }).click()
  await desk.getByLabel('State').selectOption('ended')
  await desk.getByRole('button', { name: 'To be kicked' }).waitFor()
  await stage.picture(desk, 'console')

  await desk.getByRole('link', { name: 'Bans' }).click()
  await desk.getByLabel('Anchor').fill('alice')
  await desk.getByRole('button', { name: 'Look up' }).click()
  await desk.getByRole('button', { name: 'Ban', exact: true }).click()
  await desk.locator('dialog').getByRole('button', { name: 'Ban', exact: true }).click()
  await desk.getByRole('button', { name: 'Lift' }).waitFor()
  expect((await fetch(stage.url + '/v1/streams', { method: 'POST', headers: { Authorization: 'Bearer ' + stage.token('anchor', 'alice') }, body: '{"title":"x"}' })).status).toBe(403)

  await desk.getByRole('link', { name: 'Addresses' }).click()
  await desk.getByLabel('Live code').fill('8888_carol')
  await desk.getByRole('button', { name: 'Generate' }).click()
  expect(await desk.getByLabel('RTMP').first().inputValue()).toMatch(/8888_carol\?txSecret=[0-9a-f]{32}&txTime=[0-9A-F]{8}$/)
  await desk.getByText('RTMP', { exact: false }).locator('..').first().waitFor()
  await stage.picture(desk, 'console-addresses')
  await desk.getByRole('link', { name: 'Charts' }).click()
  await desk.locator('canvas').first().waitFor()
  await desk.getByLabel('Node').waitFor()
  // Rates are known from the second sample on.
  await desk.locator('.legend li', { hasText: 'messages to sockets' }).filter({ hasText: /\d/ }).waitFor()
  await desk.locator('.legend li', { hasText: '% of a core' }).filter({ hasText: /\d/ }).waitFor()
  await stage.picture(desk, 'console-charts')
})

test('no serious fault of accessibility', async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const faults = async (page: Page) => {
    await page.evaluate(axe)
    const { violations } = await page.evaluate('axe.run()') as { violations: { id: string, impact: string, nodes: { html: string }[] }[] }
    return violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`)
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    await stage.call('POST', '/v1/streams', stage.token('anchor', 'bob'), { title: 'x', tags: ['t'] })
    const wall = await stage.page('/', { colorScheme })
    await tile(wall, 'bob').waitFor()
    expect(await faults(wall)).toEqual([])
    await tile(wall, 'bob').click()
    await wall.locator('dialog[open]').waitFor()
    expect(await faults(wall)).toEqual([])
    const studio = await stage.studio(`alice-${colorScheme}`, { colorScheme })
    expect(await faults(studio)).toEqual([])
    await stage.goLive(studio, 'x')
    expect(await faults(studio)).toEqual([])
    const desk = await stage.console({ colorScheme })
    await desk.getByRole('button', { name: 'x' }).first().waitFor()
    expect(await faults(desk)).toEqual([])
    await desk.getByRole('button', { name: 'x' }).first().click()
    await desk.locator('dialog table').waitFor()
    expect(await faults(desk)).toEqual([])
    await desk.getByRole('button', { name: 'Close' }).click()
    for (const section of ['Charts', 'Recordings', 'Bans', 'Addresses', 'Dead letters']) {
      await desk.getByRole('link', { name: section }).click()
      expect(await faults(desk)).toEqual([])
    }
  }
})
