import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EventParser } from '../src/sse.js'
import { Viewer } from '../src/index.js'
import { options, pass, Scripted, settle } from './script.js'

beforeEach(() => { vi.useFakeTimers(); Scripted.reset() })
afterEach(() => { vi.useRealTimers() })

test('events come whole, however the text is cut', () => {
  const text = ': hello\n\nevent: snapshot\nid: p1\ndata: {"a":1}\n\nevent: diff\r\ndata: x\r\ndata:  y\r\n\r\ndata\n\ndata: last'
  for (let cut = 0; cut <= text.length; cut++) {
    const parser = new EventParser()
    const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]
    expect(events).toEqual([{ name: 'snapshot', data: '{"a":1}' }, { name: 'diff', data: 'x\n y' }, { name: 'message', data: '' }])
  }
})

/** A server of event streams: what it was asked, and how to answer. */
function server(away = false) {
  const asked: { url: string, say: (name: string, m: object) => void, end: () => void, aborted: () => boolean }[] = []
  const fetch = (url: string, init: RequestInit) => {
    if (!url.includes('/events')) return away ? Promise.reject(new Error('away')) : Promise.resolve(new Response('{"streams":[],"total":0}'))
    let out: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start(c) { out = c } })
    init.signal?.addEventListener('abort', () => { try { out.error(new Error('aborted')) } catch { /* it has ended */ } })
    asked.push({
      url, say: (name, m) => out.enqueue(new TextEncoder().encode(`event: ${name}\ndata: ${JSON.stringify(m)}\n\n`)), end: () => out.close(),
      aborted: () => init.signal!.aborted,
    })
    return Promise.resolve(new Response(body, { status: 200 }))
  }
  return { asked, fetch: fetch as typeof globalThis.fetch }
}

const entry = { code: '8888_a', anchor: 'a', title: 'x', state: 'live', started_at: 1, viewers: 0, likes: 0 }

test('where sockets do not come through', async () => {
  const { asked, fetch } = server()
  const viewer = new Viewer({ ...options, fetch })
  const view = viewer.subscribe({ tags: ['a b', '音'], limit: 5 })
  for (let i = 0; i < 3; i++) {
    await Scripted.last.drops(1006)
    await pass(4_000)
  }
  expect([Scripted.all.length, asked.length]).toEqual([3, 1])
  expect(asked[0]!.url).toBe('https://live.example.com/v1/streams/events?tags=a%20b%2C%E9%9F%B3&limit=5')
  asked[0]!.say('snapshot', { type: 'snapshot', view: 'v', pos: 'p1', total: 1, streams: [entry] })
  await pass(0)
  expect([view.entries.length, view.stale, viewer.phase]).toEqual([1, false, 'open'])
  asked[0]!.say('diff', { type: 'diff', view: 'v', prev: 'p1', pos: 'p2', del: ['8888_a'] })
  await pass(0)
  expect(view.entries.length).toBe(0)
  asked[0]!.end()
  await pass(0)
  expect([view.stale, viewer.phase]).toEqual([true, 'waiting'])
  await pass(1_000)
  expect(asked[1]!.url).toContain('&pos=p2')
  viewer.close()
  await settle()
  await pass(600_000)
  expect([asked.length, viewer.phase]).toEqual([2, 'stopped'])
})

test('a server that is away is no reason to fall back', async () => {
  const { asked, fetch } = server(true)
  const viewer = new Viewer({ ...options, fetch })
  viewer.subscribe()
  for (let i = 0; i < 6; i++) {
    await Scripted.last.drops(1006)
    await pass(15_000)
  }
  expect([Scripted.all.length, asked.length, viewer.phase]).toEqual([7, 0, 'connecting'])
})

test('sockets are tried again, and taken when they come through', async () => {
  const { asked, fetch } = server()
  const viewer = new Viewer({ ...options, fetch })
  const view = viewer.subscribe()
  for (let i = 0; i < 3; i++) {
    await Scripted.last.drops(1006)
    await pass(4_000)
  }
  asked[0]!.say('snapshot', { type: 'snapshot', view: 'v', pos: 'p1', total: 1, streams: [entry] })
  const phases: string[] = []
  viewer.on('phase', phase => phases.push(phase))
  await pass(300_000)
  expect(Scripted.all.length).toBe(4)
  await Scripted.last.drops(1006)
  await pass(299_999)
  expect([Scripted.all.length, view.entries.length]).toEqual([4, 1])
  asked.at(-1)!.end()
  await pass(1)
  await Scripted.last.welcomes()
  expect([phases.at(-1), viewer.phase]).toEqual(['open', 'open'])
  expect(Scripted.last.sent).toEqual([{ type: 'subscribe', pos: 'p1', view: 'v', id: 1 }])
  await Scripted.last.answers('subscribe', { type: 'diff', view: 'v', prev: 'p1', pos: 'p2', del: ['8888_a'] })
  expect([view.entries.length, view.stale, viewer.phase]).toEqual([0, false, 'open'])
})

test('a dead line of events', async () => {
  const { asked, fetch } = server()
  const viewer = new Viewer({ ...options, fetch, transport: 'events' })
  const watch = viewer.watch('8888_a', ['flv'])
  await pass(0)
  expect(asked[0]!.url).toBe('https://live.example.com/v1/streams/events?limit=1&watch=8888_a&play=flv')
  asked[0]!.say('watching', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q', entry })
  await pass(0)
  expect(watch.entry?.title).toBe('x')
  await pass(62_500)
  await pass(1_000)
  expect(asked.length).toBe(2)
  asked[1]!.say('drain', { type: 'drain', reconnect_in_ms: 4_000 })
  await pass(10_000)
  expect(asked.length).toBe(2) // it is served until it ends
  asked[1]!.end()
  await pass(1_999)
  expect(asked.length).toBe(2)
  await pass(1)
  expect(asked.length).toBe(3)
  viewer.wake()
  await pass(1_000)
  expect(asked.length).toBe(3) // what is well stays as it is
  asked[2]!.say('watching', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q', entry })
  asked[2]!.say('diff', { type: 'diff', view: 'code/8888_a', prev: 'q', pos: 'r', del: ['8888_a'] })
  await pass(0)
  expect([watch.ended, asked[2]!.aborted()]).toEqual([true, true])
})

test('a rest ends when the viewer does, or is woken', async () => {
  const { asked, fetch } = server()
  const viewer = new Viewer({ ...options, fetch, transport: 'events' })
  viewer.subscribe()
  await pass(0)
  asked[0]!.end()
  await pass(0)
  viewer.wake()
  await pass(250)
  expect(asked.length).toBe(2)
  asked[1]!.end()
  await pass(0)
  expect(vi.getTimerCount()).toBe(1)
  viewer.close()
  await pass(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('a rest that is woken twice, and one that the server asked for', async () => {
  const { asked, fetch } = server()
  let refuse: object | undefined
  const turned: string[] = []
  const viewer = new Viewer({
    ...options, transport: 'events', random: () => 0.9,
    fetch: (url, init) => {
      if (!refuse) return fetch(url, init)
      turned.push(String(url))
      return Promise.resolve(new Response(JSON.stringify(refuse), { status: 503 }))
    },
  })
  viewer.subscribe()
  await pass(0)
  asked[0]!.end()
  await pass(0)
  await pass(600)
  viewer.wake() // in 450 ms, and the rest is over in 300
  refuse = { code: 'unavailable', detail: 'later' }
  await pass(300)
  expect(turned.length).toBe(1)
  await pass(2_000)
  expect(turned.length).toBe(2)
  refuse = { code: 'unavailable', detail: 'later', retry_after_ms: 20_000 }
  await pass(4_000)
  expect(turned.length).toBe(3)
  viewer.wake()
  await pass(15_000)
  expect(turned.length).toBe(3)
  await pass(5_000)
  expect(turned.length).toBe(4)
  viewer.close()
})

test('tokens that are refused again and again', async () => {
  let n = 0
  const fetch = () => Promise.resolve(new Response('{"code":"unauthorized","detail":"no"}', { status: 401 }))
  const viewer = new Viewer({ ...options, fetch, transport: 'events', token: () => `t${++n}` })
  const whys: string[] = []
  viewer.on('stopped', why => whys.push(why.code))
  viewer.subscribe()
  await pass(60_000)
  expect([n, whys, viewer.phase]).toEqual([3, ['unauthorized'], 'stopped'])
})
