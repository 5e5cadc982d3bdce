// Measures speed. It asserts on no duration, because machines differ.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TestEnvironment } from './environment.js'

let env: TestEnvironment

beforeEach(() => { env = new TestEnvironment() })
afterEach(() => env.close())

test('measure the delay from the studio to the wall', async () => {
  await env.startServer()
  const wall = await env.openPage('/')
  await wall.getByText('Nobody is on air.').waitFor()
  const studio = await env.openStudio('alice')
  await studio.getByLabel('Title').fill('x')
  const shownAt = wall.locator('.tile').waitFor().then(() => Date.now())
  const clickedAt = Date.now()
  await studio.getByRole('button', { name: 'Go live' }).click()
  console.log(`on the wall ${await shownAt - clickedAt} ms after the click in the studio`)
})

test('measure the frame rate with five thousand entries and two hundred changes a second', async () => {
  const entries = 5_000
  const changes = 200
  const seconds = 5
  await env.startServer('--limits.window', '10000', '--heartbeat.interval', '60s')
  const backend = env.server.newToken('backend', 'app')
  const started: { code: string, session: string }[] = []
  for (let i = 0; i < entries; i += 100) {
    await Promise.all(Array.from({ length: 100 }, async (_, j) => {
      const response = await env.callServer('POST', '/v1/streams', backend, { anchor: `u${i + j}`, title: `Stream ${i + j}` })
      const s = await response.json() as { stream: { code: string }, session: string }
      started.push({ code: s.stream.code, session: s.session })
    }))
  }
  const wall = await env.openPage('/?limit=10000')
  await expect.poll(() => wall.locator('main').innerText(), { timeout: 30_000 }).toMatch(/5K on air|5,000 on air/)
  // The page scrolls all the time, so that each frame has changes to draw.
  await wall.evaluate(() => { const scroll = () => { scrollBy(0, 3); requestAnimationFrame(scroll) }; scroll() })
  const tracing = await wall.context().newCDPSession(wall)
  const frameTimes: number[] = [] // microseconds
  tracing.on('Tracing.dataCollected', ({ value }) => {
    for (const e of value as unknown as { name: string, ts: number }[]) if (e.name === 'DrawFrame') frameTimes.push(e.ts)
  })
  await tracing.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame'] } })
  const startedAt = Date.now()
  let n = 0
  while (Date.now() - startedAt < seconds * 1000) {
    await Promise.all(Array.from({ length: 20 }, () => {
      const { code, session } = started[(n * 37) % entries]!
      n++
      return env.callServer('PATCH', `/v1/streams/${code}`, backend, { session, title: `Changed ${n}` })
    }))
    await new Promise(resolve => setTimeout(resolve, Math.max(0, startedAt + n / changes * 1000 - Date.now())))
  }
  const elapsed = Date.now() - startedAt
  const completed = new Promise(resolve => tracing.once('Tracing.tracingComplete', resolve))
  await tracing.send('Tracing.end')
  await completed
  frameTimes.sort((a, b) => a - b)
  const intervals = frameTimes.slice(1).map((time, i) => (time - frameTimes[i]!) / 1000).sort((a, b) => a - b)
  const rate = (frameTimes.length - 1) / ((frameTimes.at(-1)! - frameTimes[0]!) / 1e6)
  console.log(`${Math.round(n / (elapsed / 1000))} changes a second of ${entries} entries: ${rate.toFixed(1)} frames a second, 99 % within ${intervals[Math.floor(intervals.length * 0.99)]!.toFixed(0)} ms`)
  expect(frameTimes.length).toBeGreaterThan(0)
})
