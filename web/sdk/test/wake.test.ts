// What a page goes through: hidden and shown, offline and online, gone.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Anchor, Viewer } from '../src/index.js'
import { options, pass, Scripted, settle } from './script.js'

const page = new EventTarget()
const window = new EventTarget()

beforeEach(() => {
  vi.useFakeTimers()
  Scripted.reset()
  vi.stubGlobal('document', Object.assign(page, { visibilityState: 'hidden' }))
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window))
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function shows(state: 'visible' | 'hidden'): void {
  Object.assign(page, { visibilityState: state })
  page.dispatchEvent(new Event('visibilitychange'))
}

const started = {
  type: 'started', session: 'secret', stream: { code: '8888_a', anchor: 'a', title: 'x', state: 'starting', started_at: 1, viewers: 0, likes: 0 },
  push: { rtmp: 'rtmp://x', server: 's', key: 'k', expires_at: 9 },
}

async function onAir(more = {}) {
  const anchor = new Anchor({ ...options, token: 't', storage: null, ...more })
  const said = anchor.start({ title: 'x' })
  await Scripted.last.welcomes()
  await Scripted.last.answers('start', started)
  await said
  await Scripted.last.says({ type: 'ack', n: 1, server_time: 0, deadline_in_ms: 1 })
  return anchor
}

const beats = () => Scripted.last.types().filter(t => t === 'beat').length

test('an anchor that is shown again, or online again, beats at once', async () => {
  const anchor = await onAir()
  shows('visible')
  expect(beats()).toBe(2)
  shows('hidden')
  expect(beats()).toBe(2)
  window.dispatchEvent(new Event('online'))
  expect(beats()).toBe(3)
  anchor.close()
  shows('visible')
  expect(beats()).toBe(3)
})

test('a viewer that waits connects soon when it is shown again', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (let i = 0; i < 8; i++) {
    await Scripted.last.drops()
    await pass(i < 7 ? 16_000 : 0)
  }
  const n = Scripted.all.length
  shows('visible')
  await pass(249)
  expect(Scripted.all.length).toBe(n)
  await pass(1)
  expect(Scripted.all.length).toBe(n + 1)
  viewer.close()
})

test('a viewer whose timers stood still finds a dead line when it is shown again', async () => {
  const viewer = new Viewer(options)
  viewer.subscribe()
  await Scripted.last.welcomes()
  vi.setSystemTime(Date.now() + 600_000) // and no timer has run
  shows('visible')
  expect([Scripted.last.closed !== undefined, viewer.phase]).toEqual([true, 'waiting'])
  viewer.close()
})

test('a page that goes away leaves the broadcast to its beats, or stops it', async () => {
  const calls: string[] = []
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    calls.push(`${init.method} ${url} ${init.keepalive} ${(init.headers as Record<string, string>).Authorization}`)
    return Promise.resolve(new Response())
  })
  const hide = (persisted: boolean) => window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }))
  await onAir()
  hide(false)
  await settle()
  expect(calls).toEqual([])
  const anchor = await onAir({ stopOnPageHide: true })
  hide(true) // into the cache, from which it may come back
  await settle()
  expect(calls).toEqual([])
  hide(false)
  await settle()
  expect(calls).toEqual(['DELETE https://live.example.com/v1/streams/8888_a?session=secret true Bearer t'])
  anchor.close()
})

test('the last word of a page has the token that was had, and one that was closed has none', async () => {
  const calls: string[] = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    calls.push(String((init.headers as Record<string, string>).Authorization))
    return Promise.reject(new Error('away'))
  })
  const hide = () => window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }))
  const anchor = await onAir({ stopOnPageHide: true, token: () => Promise.resolve('fresh') })
  hide()
  expect(calls).toEqual(['Bearer fresh']) // at once: nothing runs afterwards
  anchor.close()
  hide()
  expect(calls.length).toBe(1)
})
