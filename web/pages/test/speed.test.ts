// How fast things are: reported, and not asserted on, since machines differ.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Stage } from './stage.js'

let stage: Stage

beforeEach(() => { stage = new Stage() })
afterEach(() => stage.close())

test('from the studio to the wall', async () => {
  await stage.serve()
  const wall = await stage.page('/')
  await wall.getByText('Nobody is on air.').waitFor()
  const studio = await stage.studio('alice')
  await studio.getByLabel('Title').fill('x')
  const seen = wall.locator('.tile').waitFor().then(() => Date.now())
  const clicked = Date.now()
  await studio.getByRole('button', { name: 'Go live' }).click()
  console.log(`on the wall ${await seen - clicked} ms after the click in the studio`)
})

test('five thousand entries, two hundred changes a second', async () => {
  const entries = 5_000
  const changes = 200
  const seconds = 5
  await stage.serve('--limits.window', '10000', '--heartbeat.interval', '60s')
  const backend = stage.token('backend', 'app')
  const started: { code: string, session: string }[] = []
  for (let i = 0; i < entries; i += 100) {
    await Promise.all(Array.from({ length: 100 }, async (_, j) => {
      const answer = await stage.call('POST', '/v1/streams', backend, { anchor: `u${i + j}`, title: `Stream ${i + j}` })
      const s = await answer.json() as { stream: { code: string }, session: string }
      started.push({ code: s.stream.code, session: s.session })
    }))
  }
  const wall = await stage.page('/?limit=10000')
  await expect.poll(() => wall.locator('main').innerText(), { timeout: 30_000 }).toMatch(/5K on air|5,000 on air/)
  // It is scrolled all the while, so that there is always something to draw.
  await wall.evaluate(() => { const roll = () => { scrollBy(0, 3); requestAnimationFrame(roll) }; roll() })
  const tracing = await wall.context().newCDPSession(wall)
  const frames: number[] = [] // microseconds
  tracing.on('Tracing.dataCollected', ({ value }) => {
    for (const e of value as unknown as { name: string, ts: number }[]) if (e.name === 'DrawFrame') frames.push(e.ts)
  })
  await tracing.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame'] } })
  const began = Date.now()
  let n = 0
  while (Date.now() - began < seconds * 1000) {
    await Promise.all(Array.from({ length: 20 }, () => {
      const { code, session } = started[(n * 37) % entries]!
      n++
      return stage.call('PATCH', `/v1/streams/${code}`, backend, { session, title: `Changed ${n}` })
    }))
    await new Promise(resolve => setTimeout(resolve, Math.max(0, began + n / changes * 1000 - Date.now())))
  }
  const took = Date.now() - began
  const over = new Promise(resolve => tracing.once('Tracing.tracingComplete', resolve))
  await tracing.send('Tracing.end')
  await over
  frames.sort((a, b) => a - b)
  const long = frames.slice(1).map((at, i) => (at - frames[i]!) / 1000).sort((a, b) => a - b)
  const rate = (frames.length - 1) / ((frames.at(-1)! - frames[0]!) / 1e6)
  console.log(`${Math.round(n / (took / 1000))} changes a second of ${entries} entries: ${rate.toFixed(1)} frames a second, 99 % within ${long[Math.floor(long.length * 0.99)]!.toFixed(0)} ms`)
  expect(frames.length).toBeGreaterThan(0)
})
