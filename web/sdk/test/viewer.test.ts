import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Viewer, type Entry } from '../src/index.js'
import { advanceTimers, FakeSocket, flushPromises, options } from './fakesocket.js'

beforeEach(() => { vi.useFakeTimers(); FakeSocket.reset() })
afterEach(() => { vi.useRealTimers() })

function newEntry(code: string, viewers = 0, members: Partial<Entry> = {}): Entry {
  return { code, anchor: code.slice(5), title: code, state: 'live', started_at: 1, viewers, likes: 0, ...members }
}

const snapshot = (pos: string, ...streams: Entry[]) => ({ type: 'snapshot', view: 'live/viewers/100', pos, total: streams.length, streams })
const diff = (prev: string, pos: string, changes: object = {}) => ({ type: 'diff', view: 'live/viewers/100', prev, pos, ...changes })
const joinedCodes = (entries: readonly Entry[]) => entries.map(e => e.code).join(' ')

/** A view of two entries at position p1. */
async function freshView() {
  const viewer = new Viewer(options)
  const view = viewer.subscribe({ list: 'live' })
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('subscribe', snapshot('p1', newEntry('8888_a', 1), newEntry('8888_b', 2)))
  return { viewer, view, server: FakeSocket.last }
}

test('a view applies a snapshot and diffs, and stays sorted', async () => {
  const { view, server } = await freshView()
  expect(server.url).toBe('wss://live.example.com/v1/viewer')
  expect(server.protocol).toBe('onair.v1')
  expect(server.sent).toEqual([{ type: 'subscribe', list: 'live', id: 1 }])
  expect(joinedCodes(view.entries)).toBe('8888_b 8888_a')
  expect(view.stale).toBe(false)
  const before = view.entries
  const changes: unknown[] = []
  view.on('change', c => changes.push(c))
  await server.deliver(diff('p1', 'p2', { total: 9, put: [newEntry('8888_c', 2, { started_at: 2 })], set: [{ code: '8888_a', viewers: 5, title: 'new' }], del: ['8888_b', '8888_x'] }))
  expect(joinedCodes(view.entries)).toBe('8888_a 8888_c')
  expect(view.total).toBe(9)
  expect(view.get('8888_a')).toMatchObject({ title: 'new', viewers: 5 })
  expect(joinedCodes(before)).toBe('8888_b 8888_a')
  expect(changes).toEqual([{ put: [view.get('8888_c'), view.get('8888_a')], del: ['8888_b'] }])
  await server.deliver(diff('p2', 'p3')) // a diff without changes
  expect([changes.length, view.position]).toEqual([1, 'p3'])
})

test('ties are sorted by the newer start, then by the bytes of the code', async () => {
  const { view, server } = await freshView()
  await server.deliver(diff('p1', 'p2', { put: ['8888_b', '8888_B', '8888_-', '8888__'].map(code => newEntry(code, 7)), set: [{ code: '8888_a', viewers: 7, started_at: 2 }] }))
  expect(joinedCodes(view.entries)).toBe('8888_a 8888_- 8888_B 8888__ 8888_b')
})

test('null in a diff removes a member', async () => {
  const { view, server } = await freshView()
  await server.deliver(diff('p1', 'p2', { set: [{ code: '8888_a', cover: 'https://x/c', away: 'media' }] }))
  await server.deliver(diff('p2', 'p3', { set: [{ code: '8888_a', cover: null }] }))
  expect(view.get('8888_a')).toEqual(newEntry('8888_a', 1, { away: 'media' }))
})

test('a diff from another position causes one resync', async () => {
  const { view, server } = await freshView()
  await server.deliver(diff('p7', 'p8', { del: ['8888_a'] }), diff('p8', 'p9'))
  expect(joinedCodes(view.entries)).toBe('8888_b 8888_a')
  expect(server.sent.slice(1)).toEqual([{ type: 'subscribe', list: 'live', pos: 'p1', view: 'live/viewers/100', id: 2 }])
  await server.answer('subscribe', diff('p1', 'p9', { del: ['8888_a'] }))
  await server.deliver(diff('p9', 'p10', { del: ['8888_b'] }))
  expect(joinedCodes(view.entries)).toBe('')
})

test('without a connection a view is stale, and resumes from its position', async () => {
  const { view, server } = await freshView()
  const stale: boolean[] = []
  view.on('stale', s => stale.push(s))
  await server.drop()
  expect(view.stale).toBe(true)
  expect(joinedCodes(view.entries)).toBe('8888_b 8888_a')
  await advanceTimers(499)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  await FakeSocket.last.welcome({ node: 'n2' })
  expect(FakeSocket.last.sent).toEqual([{ type: 'subscribe', list: 'live', pos: 'p1', view: 'live/viewers/100', id: 2 }])
  await FakeSocket.last.answer('subscribe', diff('p1', 'p5', { put: [newEntry('8888_c', 9)] }))
  expect(joinedCodes(view.entries)).toBe('8888_c 8888_b 8888_a')
  expect(stale).toEqual([true, false])
})

test('the bound of the full jitter doubles up to thirty seconds', async () => {
  const { viewer, server } = await freshView()
  await advanceTimers(6_000) // the connection was stable
  await server.drop()
  for (const bound of [1, 2, 4, 8, 16, 30, 30]) {
    const n = FakeSocket.all.length
    await advanceTimers(bound * 500 - 1)
    expect(FakeSocket.all.length).toBe(n)
    await advanceTimers(1)
    expect(FakeSocket.all.length).toBe(n + 1)
    await FakeSocket.last.welcome() // and not stable
    await FakeSocket.last.drop()
  }
  viewer.close()
})

test('after a drain the viewer reconnects within the window', async () => {
  const { server } = await freshView()
  await server.deliver({ type: 'drain', reconnect_in_ms: 8_000 })
  await server.drop(4200)
  await advanceTimers(3_999)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  expect(FakeSocket.all.length).toBe(2)
})

test('close codes make the viewer wait or stop', async () => {
  const first = await freshView()
  await first.server.deliver({ type: 'error', code: 'rate_limited', message: 'slower', retry_after_ms: 20_000 })
  await first.server.drop(4100)
  await advanceTimers(19_999)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  expect(FakeSocket.all.length).toBe(2)
  const stopped: unknown[] = []
  first.viewer.on('stopped', e => stopped.push(e.code))
  await FakeSocket.last.welcome()
  await FakeSocket.last.drop(4003)
  await advanceTimers(600_000)
  expect([FakeSocket.all.length, first.viewer.connectionState, stopped]).toEqual([2, 'stopped', ['forbidden']])
})

test('a token is sent first, renewed before it expires, and renewed after a refusal', async () => {
  let n = 0
  const viewer = new Viewer({ ...options, token: () => Promise.resolve(`t${++n}`) })
  viewer.subscribe()
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sent[0]).toEqual({ type: 'auth', token: 't1' })
  await FakeSocket.last.deliver({ type: 'token_expiring', expires_at: 0 })
  expect(FakeSocket.last.sent.at(-1)).toEqual({ type: 'auth', token: 't2' })
  for (const refusals of [1, 2]) {
    await FakeSocket.last.drop(4001)
    await advanceTimers(1_000 * refusals)
    await FakeSocket.last.open()
    expect(FakeSocket.last.sent[0]).toEqual({ type: 'auth', token: `t${2 + refusals}` })
  }
  await FakeSocket.last.drop(4001)
  expect(viewer.connectionState).toBe('stopped')
})

test('a failing token function does not close the connection', async () => {
  const tokens: (string | undefined)[] = ['t1', undefined, undefined, 't2']
  const viewer = new Viewer({ ...options, token: () => { const t = tokens.shift(); return t ? Promise.resolve(t) : Promise.reject(new Error('unreachable')) } })
  viewer.subscribe()
  await FakeSocket.last.welcome()
  await FakeSocket.last.deliver({ type: 'token_expiring', expires_at: 0 })
  expect(tokens.length).toBe(2)
  await advanceTimers(3_000)
  expect([tokens.length, viewer.connectionState, FakeSocket.all.length, FakeSocket.last.sent.at(-1)]).toEqual([0, 'open', 1, { type: 'auth', token: 't2' }])
})

test('messages stay within the rate limit of the server', async () => {
  const viewer = new Viewer({ ...options })
  for (let i = 0; i < 60; i++) viewer.watch(`8888_${i}`)
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sentTypes().length).toBe(32)
  await advanceTimers(1_000)
  expect(FakeSocket.last.sentTypes().length).toBe(47) // 16 a second
  await advanceTimers(1_000)
  expect(new Set(FakeSocket.last.sent.map(m => m.code)).size).toBe(60)
  viewer.like('8888_1')
  await advanceTimers(300)
  expect(FakeSocket.last.sent.length).toBe(61)
})

test('a constant token is not sent again after a refusal', async () => {
  const viewer = new Viewer({ ...options, token: 'x' })
  viewer.subscribe()
  await FakeSocket.last.open()
  await FakeSocket.last.drop(4001)
  expect(viewer.connectionState).toBe('stopped')
})

test('silence means a dead connection', async () => {
  const { server } = await freshView()
  await advanceTimers(50_000)
  await server.deliver({ type: 'ping' })
  await advanceTimers(62_499)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  expect(server.closed).toBeDefined()
  await advanceTimers(500)
  expect(FakeSocket.all.length).toBe(2)
})

test('a connection without a welcome is dead', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await FakeSocket.last.open()
  await advanceTimers(15_500)
  expect(FakeSocket.all.length).toBe(2)
})

test('two views with the same id share the diffs of one', async () => {
  const { viewer, view, server } = await freshView()
  const other = viewer.subscribe({ list: 'live', sort: 'viewers' })
  await server.answer('subscribe', snapshot('p1', newEntry('8888_a', 1), newEntry('8888_b', 2)))
  await server.deliver(diff('p1', 'p2', { del: ['8888_b'] }))
  expect([joinedCodes(view.entries), joinedCodes(other.entries)]).toEqual(['8888_a', '8888_a'])
  view.close()
  expect(server.sentTypes()).not.toContain('unsubscribe')
  other.close()
  expect(server.sent.at(-1)).toEqual({ type: 'unsubscribe', view: 'live/viewers/100' })
})

test('a rejected query is not sent again', async () => {
  const viewer = new Viewer(options)
  const view = viewer.subscribe({ list: 'nowhere' })
  const errors: string[] = []
  view.on('rejected', e => errors.push(e.code))
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('subscribe', { type: 'error', code: 'bad_request', message: 'no such list' })
  expect(errors).toEqual(['bad_request'])
  await FakeSocket.last.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sent).toEqual([])
})

test('for await yields the latest entries until the view is closed', async () => {
  const { view, server } = await freshView()
  const seen: string[] = []
  const done = (async () => { for await (const entries of view) seen.push(joinedCodes(entries)) })()
  await flushPromises()
  await server.deliver(diff('p1', 'p2', { del: ['8888_a'] }))
  await server.deliver(diff('p2', 'p3', { del: ['8888_b'] }))
  view.close()
  await done
  expect(seen).toEqual(['8888_b 8888_a', '8888_b', ''])
})

test('a watch receives its entry, diffs and end', async () => {
  const { viewer, server } = await freshView()
  const watch = viewer.watch('8888_a', ['flv'])
  expect(viewer.watch('8888_a')).toBe(watch)
  expect(server.sent.at(-1)).toEqual({ type: 'watch', code: '8888_a', play: ['flv'], id: 2 })
  const urls: unknown[] = []
  watch.on('change', e => urls.push(e.play?.flv))
  await server.answer('watch', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q1', expires_at: 9, entry: newEntry('8888_a', 1, { play: { flv: 'u1' } }) })
  await server.deliver({ type: 'diff', view: 'code/8888_a', prev: 'q1', pos: 'q2', set: [{ code: '8888_a', play: { flv: 'u2' } }] })
  expect(urls).toEqual(['u1', 'u2'])
  await server.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sentTypes()).toEqual(['subscribe', 'watch'])
  await FakeSocket.last.answer('watch', { type: 'error', code: 'not_found', message: 'it is over' })
  expect([watch.ended, watch.entry]).toEqual([true, undefined])
})

test('a diff can end a watch', async () => {
  const { viewer, server } = await freshView()
  const watch = viewer.watch('8888_a')
  await server.answer('watch', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q1', expires_at: 9, entry: newEntry('8888_a', 1) })
  await server.deliver({ type: 'diff', view: 'code/8888_a', prev: 'q1', pos: 'q2', del: ['8888_a'] })
  expect(watch.ended).toBe(true)
})

test('a watch applies the messages of its own view, whose id names the protocols', async () => {
  const { viewer, server } = await freshView()
  const watch = viewer.watch('8888_a', ['flv'])
  await server.answer('watch', { type: 'watching', code: '8888_a', view: 'code/8888_a/flv', pos: 'q1', expires_at: 9, entry: newEntry('8888_a', 1) })
  await server.deliver({ type: 'diff', view: 'code/8888_a/flv', prev: 'q1', pos: 'q2', set: [{ code: '8888_a', viewers: 2 }] })
  expect(watch.entry?.viewers).toBe(2)
  await server.deliver({ type: 'snapshot', view: 'code/8888_a/flv', pos: 'q3', total: 1, streams: [newEntry('8888_a', 3)] })
  expect(watch.entry?.viewers).toBe(3)
  await server.deliver({ type: 'diff', view: 'code/8888_a/flv', prev: 'q3', pos: 'q4', del: ['8888_a'] })
  expect(watch.ended).toBe(true)
})

test('likes are sent together, and wait for a connection', async () => {
  const { viewer, server } = await freshView()
  for (let i = 0; i < 130; i++) viewer.like('8888_a')
  await advanceTimers(300)
  expect(server.sent.at(-1)).toEqual({ type: 'like', code: '8888_a', n: 100 })
  await server.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  await advanceTimers(1_000)
  expect(FakeSocket.last.sent.at(-1)).toEqual({ type: 'like', code: '8888_a', n: 30 })
})

test('a closed viewer does not reconnect', async () => {
  const { viewer, server } = await freshView()
  viewer.close()
  expect([server.closed, viewer.connectionState]).toEqual([{ code: 1000 }, 'stopped'])
  await advanceTimers(600_000)
  expect(FakeSocket.all.length).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('fatal close codes stop the viewer until connect', async () => {
  for (const [code, errorCode] of [[1000, 'stopped'], [1003, 'bad_request'], [1008, 'bad_request'], [1009, 'bad_request']] as const) {
    FakeSocket.reset()
    const viewer = new Viewer({ ...options, transport: 'socket' })
    const errors: string[] = []
    viewer.on('stopped', e => errors.push(e.code))
    const view = viewer.subscribe()
    await FakeSocket.last.welcome()
    await FakeSocket.last.drop(code)
    await advanceTimers(600_000)
    expect([FakeSocket.all.length, errors, view.closed]).toEqual([1, [errorCode], false])
    viewer.connect()
    await FakeSocket.last.welcome()
    expect(FakeSocket.last.sentTypes()).toEqual(['subscribe'])
    viewer.close()
  }
})

test('after invalid messages the viewer reconnects with a growing delay', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (const text of ['{', 'null', '7', '{}', '[]', '{"type":1}']) {
    await FakeSocket.last.open()
    FakeSocket.last.onmessage?.({ data: text })
    await advanceTimers(16_000)
  }
  expect(FakeSocket.all.length).toBe(7)
  for (let i = 0; i < 50; i++) {
    FakeSocket.last.onmessage?.({ data: 'null' })
    await advanceTimers(1)
  }
  expect(FakeSocket.all.length).toBe(7)
})

test('a token refused after the welcome is renewed twice', async () => {
  let n = 0
  const viewer = new Viewer({ ...options, transport: 'socket', token: () => `t${++n}` })
  viewer.subscribe()
  for (let i = 0; i < 3; i++) {
    await FakeSocket.last.welcome() // without a token
    await FakeSocket.last.drop(4001)
    await advanceTimers(8_000)
  }
  expect([FakeSocket.all.length, n, viewer.connectionState]).toEqual([3, 3, 'stopped'])
})

test('a rejected watch has not ended, except when the stream was not found', async () => {
  const viewer = new Viewer(options)
  const [full, none] = [viewer.watch('8888_a'), viewer.watch('8888_b')]
  const events: string[] = []
  full.on('rejected', e => events.push(e.code))
  full.on('ended', () => events.push('ended'))
  none.on('ended', () => events.push('none'))
  await FakeSocket.last.welcome()
  await FakeSocket.last.deliver({ type: 'error', id: 1, code: 'limit_exceeded', message: 'full' }, { type: 'error', id: 2, code: 'not_found', message: 'none' })
  expect(events).toEqual(['limit_exceeded', 'none'])
})

test('a subscription closed during its request is ended at the server', async () => {
  const viewer = new Viewer(options)
  const [view, watch] = [viewer.subscribe(), viewer.watch('8888_a')]
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('watch', { type: 'error', code: 'unavailable', message: 'later' })
  watch.close()
  view.close()
  await advanceTimers(3_000)
  await FakeSocket.last.answer('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
  expect(FakeSocket.last.sent.slice(2)).toEqual([{ type: 'unwatch', code: '8888_a' }, { type: 'unsubscribe', view: 'v' }])
  for await (const _ of view) throw new Error('a closed view yielded entries')
})

test('a stable connection resets the backoff, and a wake respects retry_after_ms', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (let i = 0; i < 6; i++) {
    await FakeSocket.last.welcome()
    await FakeSocket.last.answer('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
    await advanceTimers(62_500 + 500)
    expect(FakeSocket.all.length).toBe(i + 2)
  }
  await FakeSocket.last.welcome()
  await FakeSocket.last.deliver({ type: 'error', code: 'rate_limited', message: 'slow', retry_after_ms: 20_000 })
  await FakeSocket.last.drop(4100)
  viewer.wake()
  await advanceTimers(19_999)
  expect(FakeSocket.all.length).toBe(7)
  await advanceTimers(1)
  expect(FakeSocket.all.length).toBe(8)
})

test('a like connects the viewer', async () => {
  const viewer = new Viewer(options)
  viewer.like('8888_a')
  await FakeSocket.last.welcome()
  await advanceTimers(1_300)
  expect(FakeSocket.last.sent).toEqual([{ type: 'like', code: '8888_a', n: 1 }])
})

test('a clock that is set back does not hide a dead connection', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
  vi.setSystemTime(Date.now() - 3_600_000)
  await advanceTimers(15_000 + 62_500 + 500) // it is detected when an answer would have been due
  expect(FakeSocket.all.length).toBe(2)
})

test('after 1013 the backoff starts at a later attempt', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await FakeSocket.last.drop(1013)
  await advanceTimers(3_999)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  expect(FakeSocket.all.length).toBe(2)
})
