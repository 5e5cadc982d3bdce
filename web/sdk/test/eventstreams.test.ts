import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EventParser } from '../src/eventparser.js'
import { Viewer } from '../src/index.js'
import { advanceTimers, FakeSocket, flushPromises, options } from './fakesocket.js'

beforeEach(() => { vi.useFakeTimers(); FakeSocket.reset() })
afterEach(() => { vi.useRealTimers() })

test('events are parsed from chunks of any size', () => {
  const text = ': hello\n\nevent: snapshot\nid: p1\ndata: {"a":1}\n\nevent: diff\r\ndata: x\r\ndata:  y\r\n\r\ndata\n\ndata: last'
  for (let cut = 0; cut <= text.length; cut++) {
    const parser = new EventParser()
    const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]
    expect(events).toEqual([{ name: 'snapshot', data: '{"a":1}' }, { name: 'diff', data: 'x\n y' }, { name: 'message', data: '' }])
  }
})

/** A fake server of event streams, with the requests that it received. It fails all others when it is unreachable. */
function fakeServer(isUnreachable = false) {
  const requests: { url: string, send: (name: string, m: object) => void, end: () => void, aborted: () => boolean }[] = []
  const fetch = (url: string, init: RequestInit) => {
    if (!url.includes('/events')) return isUnreachable ? Promise.reject(new Error('unreachable')) : Promise.resolve(new Response('{"streams":[],"total":0}'))
    let out: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start(c) { out = c } })
    init.signal?.addEventListener('abort', () => { try { out.error(new Error('aborted')) } catch { /* it has ended */ } })
    requests.push({
      url, send: (name, m) => out.enqueue(new TextEncoder().encode(`event: ${name}\ndata: ${JSON.stringify(m)}\n\n`)), end: () => out.close(),
      aborted: () => init.signal!.aborted,
    })
    return Promise.resolve(new Response(body, { status: 200 }))
  }
  return { requests, fetch: fetch as typeof globalThis.fetch }
}

const entry = { code: '8888_a', anchor: 'a', title: 'x', state: 'live', started_at: 1, viewers: 0, likes: 0 }

test('without sockets the viewer uses event streams', async () => {
  const { requests, fetch } = fakeServer()
  const viewer = new Viewer({ ...options, fetch })
  const view = viewer.subscribe({ tags: ['a b', '音'], limit: 5 })
  for (let i = 0; i < 3; i++) {
    await FakeSocket.last.drop(1006)
    await advanceTimers(4_000)
  }
  expect([FakeSocket.all.length, requests.length]).toEqual([3, 1])
  expect(requests[0]!.url).toBe('https://live.example.com/v1/streams/events?tags=a%20b%2C%E9%9F%B3&limit=5')
  requests[0]!.send('snapshot', { type: 'snapshot', view: 'v', pos: 'p1', total: 1, streams: [entry] })
  await advanceTimers(0)
  expect([view.entries.length, view.stale, viewer.connectionState]).toEqual([1, false, 'open'])
  requests[0]!.send('diff', { type: 'diff', view: 'v', prev: 'p1', pos: 'p2', del: ['8888_a'] })
  await advanceTimers(0)
  expect(view.entries.length).toBe(0)
  requests[0]!.end()
  await advanceTimers(0)
  expect([view.stale, viewer.connectionState]).toEqual([true, 'waiting'])
  await advanceTimers(1_000)
  expect(requests[1]!.url).toContain('&pos=p2')
  viewer.close()
  await flushPromises()
  await advanceTimers(600_000)
  expect([requests.length, viewer.connectionState]).toEqual([2, 'stopped'])
})

test('an unreachable server does not make the viewer use event streams', async () => {
  const { requests, fetch } = fakeServer(true)
  const viewer = new Viewer({ ...options, fetch })
  viewer.subscribe()
  for (let i = 0; i < 6; i++) {
    await FakeSocket.last.drop(1006)
    await advanceTimers(15_000)
  }
  expect([FakeSocket.all.length, requests.length, viewer.connectionState]).toEqual([7, 0, 'connecting'])
})

test('the viewer tries a socket again, and uses it when it opens', async () => {
  const { requests, fetch } = fakeServer()
  const viewer = new Viewer({ ...options, fetch })
  const view = viewer.subscribe()
  for (let i = 0; i < 3; i++) {
    await FakeSocket.last.drop(1006)
    await advanceTimers(4_000)
  }
  requests[0]!.send('snapshot', { type: 'snapshot', view: 'v', pos: 'p1', total: 1, streams: [entry] })
  const states: string[] = []
  viewer.on('connectionState', state => states.push(state))
  await advanceTimers(300_000)
  expect(FakeSocket.all.length).toBe(4)
  await FakeSocket.last.drop(1006)
  await advanceTimers(299_999)
  expect([FakeSocket.all.length, view.entries.length]).toEqual([4, 1])
  requests.at(-1)!.end()
  await advanceTimers(1)
  await FakeSocket.last.welcome()
  expect([states.at(-1), viewer.connectionState]).toEqual(['open', 'open'])
  expect(FakeSocket.last.sent).toEqual([{ type: 'subscribe', pos: 'p1', view: 'v', id: 1 }])
  await FakeSocket.last.answer('subscribe', { type: 'diff', view: 'v', prev: 'p1', pos: 'p2', del: ['8888_a'] })
  expect([view.entries.length, view.stale, viewer.connectionState]).toEqual([0, false, 'open'])
})

test('a silent event stream is requested again', async () => {
  const { requests, fetch } = fakeServer()
  const viewer = new Viewer({ ...options, fetch, transport: 'events' })
  const watch = viewer.watch('8888_a', ['flv'])
  await advanceTimers(0)
  expect(requests[0]!.url).toBe('https://live.example.com/v1/streams/events?limit=1&watch=8888_a&play=flv')
  requests[0]!.send('watching', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q', entry })
  await advanceTimers(0)
  expect(watch.entry?.title).toBe('x')
  await advanceTimers(62_500)
  await advanceTimers(1_000)
  expect(requests.length).toBe(2)
  requests[1]!.send('drain', { type: 'drain', reconnect_in_ms: 4_000 })
  await advanceTimers(10_000)
  expect(requests.length).toBe(2) // the server still serves the response
  requests[1]!.end()
  await advanceTimers(1_999)
  expect(requests.length).toBe(2)
  await advanceTimers(1)
  expect(requests.length).toBe(3)
  viewer.wake()
  await advanceTimers(1_000)
  expect(requests.length).toBe(3) // a wake does not restart a working stream
  requests[2]!.send('watching', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q', entry })
  requests[2]!.send('diff', { type: 'diff', view: 'code/8888_a', prev: 'q', pos: 'r', del: ['8888_a'] })
  await advanceTimers(0)
  expect([watch.ended, requests[2]!.aborted()]).toEqual([true, true])
})

test('a wait ends with the viewer, or with a wake', async () => {
  const { requests, fetch } = fakeServer()
  const viewer = new Viewer({ ...options, fetch, transport: 'events' })
  viewer.subscribe()
  await advanceTimers(0)
  requests[0]!.end()
  await advanceTimers(0)
  viewer.wake()
  await advanceTimers(250)
  expect(requests.length).toBe(2)
  requests[1]!.end()
  await advanceTimers(0)
  expect(vi.getTimerCount()).toBe(1)
  viewer.close()
  await advanceTimers(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('two wakes end one wait, and no wake shortens the wait of the server', async () => {
  const { requests, fetch } = fakeServer()
  let problem: object | undefined
  const rejected: string[] = []
  const viewer = new Viewer({
    ...options, transport: 'events', random: () => 0.9,
    fetch: (url, init) => {
      if (!problem) return fetch(url, init)
      rejected.push(String(url))
      return Promise.resolve(new Response(JSON.stringify(problem), { status: 503 }))
    },
  })
  viewer.subscribe()
  await advanceTimers(0)
  requests[0]!.end()
  await advanceTimers(0)
  await advanceTimers(600)
  viewer.wake() // takes effect in 450 ms; the wait ends in 300 ms
  problem = { code: 'unavailable', detail: 'later' }
  await advanceTimers(300)
  expect(rejected.length).toBe(1)
  await advanceTimers(2_000)
  expect(rejected.length).toBe(2)
  problem = { code: 'unavailable', detail: 'later', retry_after_ms: 20_000 }
  await advanceTimers(4_000)
  expect(rejected.length).toBe(3)
  viewer.wake()
  await advanceTimers(15_000)
  expect(rejected.length).toBe(3)
  await advanceTimers(5_000)
  expect(rejected.length).toBe(4)
  viewer.close()
})

test('after three refused tokens the viewer is stopped', async () => {
  let n = 0
  const fetch = () => Promise.resolve(new Response('{"code":"unauthorized","detail":"no"}', { status: 401 }))
  const viewer = new Viewer({ ...options, fetch, transport: 'events', token: () => `t${++n}` })
  const errors: string[] = []
  viewer.on('stopped', e => errors.push(e.code))
  viewer.subscribe()
  await advanceTimers(60_000)
  expect([n, errors, viewer.connectionState]).toEqual([3, ['unauthorized'], 'stopped'])
})
