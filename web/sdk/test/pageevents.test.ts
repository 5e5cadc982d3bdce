// Page events: hidden, visible, offline, online, closed.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Anchor, Viewer } from '../src/index.js'
import { advanceTimers, FakeSocket, flushPromises, options, started } from './fakesocket.js'

const page = new EventTarget()
const window = new EventTarget()

beforeEach(() => {
  vi.useFakeTimers()
  FakeSocket.reset()
  vi.stubGlobal('document', Object.assign(page, { visibilityState: 'hidden' }))
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window))
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function setVisibility(state: 'visible' | 'hidden'): void {
  Object.assign(page, { visibilityState: state })
  page.dispatchEvent(new Event('visibilitychange'))
}

async function liveAnchor(moreOptions = {}) {
  const anchor = new Anchor({ ...options, token: 't', storage: null, ...moreOptions })
  const starting = anchor.start({ title: 'x' })
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('start', started)
  await starting
  await FakeSocket.last.deliver({ type: 'ack', n: 1, server_time: 0, deadline_in_ms: 1 })
  return anchor
}

const beatCount = () => FakeSocket.last.sentTypes().filter(t => t === 'beat').length

test('an anchor beats at once when its page becomes visible or online', async () => {
  const anchor = await liveAnchor()
  setVisibility('visible')
  expect(beatCount()).toBe(2)
  setVisibility('hidden')
  expect(beatCount()).toBe(2)
  window.dispatchEvent(new Event('online'))
  expect(beatCount()).toBe(3)
  anchor.close()
  setVisibility('visible')
  expect(beatCount()).toBe(3)
})

test('a waiting viewer connects soon when its page becomes visible', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (let i = 0; i < 8; i++) {
    await FakeSocket.last.drop()
    await advanceTimers(i < 7 ? 16_000 : 0)
  }
  const n = FakeSocket.all.length
  setVisibility('visible')
  await advanceTimers(249)
  expect(FakeSocket.all.length).toBe(n)
  await advanceTimers(1)
  expect(FakeSocket.all.length).toBe(n + 1)
  viewer.close()
})

test('a viewer with suspended timers detects a dead connection when its page becomes visible', async () => {
  const viewer = new Viewer(options)
  viewer.subscribe()
  await FakeSocket.last.welcome()
  vi.setSystemTime(Date.now() + 600_000) // no timer has run
  setVisibility('visible')
  expect([FakeSocket.last.closed !== undefined, viewer.connectionState]).toEqual([true, 'waiting'])
  viewer.close()
})

test('a page that closes stops the broadcast only with stopOnPageHide', async () => {
  const calls: string[] = []
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    calls.push(`${init.method} ${url} ${init.keepalive} ${(init.headers as Record<string, string>).Authorization}`)
    return Promise.resolve(new Response())
  })
  const hide = (persisted: boolean) => window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }))
  await liveAnchor()
  hide(false)
  await flushPromises()
  expect(calls).toEqual([])
  const anchor = await liveAnchor({ stopOnPageHide: true })
  hide(true) // into the back/forward cache
  await flushPromises()
  expect(calls).toEqual([])
  hide(false)
  await flushPromises()
  expect(calls).toEqual(['DELETE https://live.example.com/v1/streams/8888_a?session=secret true Bearer t'])
  anchor.close()
})

test('the request of a closing page has the last token, and a closed anchor sends none', async () => {
  const calls: string[] = []
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    calls.push(String((init.headers as Record<string, string>).Authorization))
    return Promise.reject(new Error('away'))
  })
  const hide = () => window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }))
  const anchor = await liveAnchor({ stopOnPageHide: true, token: () => Promise.resolve('fresh') })
  hide()
  expect(calls).toEqual(['Bearer fresh']) // at once: nothing runs after the event
  anchor.close()
  hide()
  expect(calls.length).toBe(1)
})
