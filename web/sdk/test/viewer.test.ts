import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Viewer, type Entry } from '../src/index.js'
import { options, pass, Scripted, settle } from './script.js'

beforeEach(() => { vi.useFakeTimers(); Scripted.reset() })
afterEach(() => { vi.useRealTimers() })

function entry(code: string, viewers = 0, more: Partial<Entry> = {}): Entry {
  return { code, anchor: code.slice(5), title: code, state: 'live', started_at: 1, viewers, likes: 0, ...more }
}

const snapshot = (pos: string, ...streams: Entry[]) => ({ type: 'snapshot', view: 'live/viewers/100', pos, total: streams.length, streams })
const diff = (prev: string, pos: string, more: object = {}) => ({ type: 'diff', view: 'live/viewers/100', prev, pos, ...more })
const codes = (entries: readonly Entry[]) => entries.map(e => e.code).join(' ')

async function opened() {
  const viewer = new Viewer(options)
  const view = viewer.subscribe({ list: 'live' })
  await Scripted.last.welcomes()
  await Scripted.last.answers('subscribe', snapshot('p1', entry('8888_a', 1), entry('8888_b', 2)))
  return { viewer, view, server: Scripted.last }
}

test('a snapshot, then diffs, always sorted', async () => {
  const { view, server } = await opened()
  expect(server.url).toBe('wss://live.example.com/v1/viewer')
  expect(server.protocol).toBe('onair.v1')
  expect(server.sent).toEqual([{ type: 'subscribe', list: 'live', id: 1 }])
  expect(codes(view.entries)).toBe('8888_b 8888_a')
  expect(view.stale).toBe(false)
  const before = view.entries
  const changes: unknown[] = []
  view.on('change', c => changes.push(c))
  await server.says(diff('p1', 'p2', { total: 9, put: [entry('8888_c', 2, { started_at: 2 })], set: [{ code: '8888_a', viewers: 5, title: 'new' }], del: ['8888_b', '8888_x'] }))
  expect(codes(view.entries)).toBe('8888_a 8888_c')
  expect(view.total).toBe(9)
  expect(view.get('8888_a')).toMatchObject({ title: 'new', viewers: 5 })
  expect(codes(before)).toBe('8888_b 8888_a')
  expect(changes).toEqual([{ put: [view.get('8888_c'), view.get('8888_a')], del: ['8888_b'] }])
  await server.says(diff('p2', 'p3')) // it only keeps the line alive
  expect([changes.length, view.pos]).toEqual([1, 'p3'])
})

test('ties: the newer start, then the code by bytes', async () => {
  const { view, server } = await opened()
  await server.says(diff('p1', 'p2', { put: ['8888_b', '8888_B', '8888_-', '8888__'].map(c => entry(c, 7)), set: [{ code: '8888_a', viewers: 7, started_at: 2 }] }))
  expect(codes(view.entries)).toBe('8888_a 8888_- 8888_B 8888__ 8888_b')
})

test('null removes a member', async () => {
  const { view, server } = await opened()
  await server.says(diff('p1', 'p2', { set: [{ code: '8888_a', cover: 'https://x/c', away: 'media' }] }))
  await server.says(diff('p2', 'p3', { set: [{ code: '8888_a', cover: null }] }))
  expect(view.get('8888_a')).toEqual(entry('8888_a', 1, { away: 'media' }))
})

test('a diff that does not follow is a resync, once', async () => {
  const { view, server } = await opened()
  await server.says(diff('p7', 'p8', { del: ['8888_a'] }), diff('p8', 'p9'))
  expect(codes(view.entries)).toBe('8888_b 8888_a')
  expect(server.sent.slice(1)).toEqual([{ type: 'subscribe', list: 'live', pos: 'p1', view: 'live/viewers/100', id: 2 }])
  await server.answers('subscribe', diff('p1', 'p9', { del: ['8888_a'] }))
  await server.says(diff('p9', 'p10', { del: ['8888_b'] }))
  expect(codes(view.entries)).toBe('')
})

test('a lost connection: the view is stale, and resumes by its position', async () => {
  const { view, server } = await opened()
  const stale: boolean[] = []
  view.on('stale', s => stale.push(s))
  await server.drops()
  expect(view.stale).toBe(true)
  expect(codes(view.entries)).toBe('8888_b 8888_a')
  await pass(499)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  await Scripted.last.welcomes({ node: 'n2' })
  expect(Scripted.last.sent).toEqual([{ type: 'subscribe', list: 'live', pos: 'p1', view: 'live/viewers/100', id: 2 }])
  await Scripted.last.answers('subscribe', diff('p1', 'p5', { put: [entry('8888_c', 9)] }))
  expect(codes(view.entries)).toBe('8888_c 8888_b 8888_a')
  expect(stale).toEqual([true, false])
})

test('full jitter: the bound doubles, up to thirty seconds', async () => {
  const { viewer, server } = await opened()
  await pass(6_000) // the connection was a good one
  await server.drops()
  for (const bound of [1, 2, 4, 8, 16, 30, 30]) {
    const n = Scripted.all.length
    await pass(bound * 500 - 1)
    expect(Scripted.all.length).toBe(n)
    await pass(1)
    expect(Scripted.all.length).toBe(n + 1)
    await Scripted.last.welcomes() // and lost at once
    await Scripted.last.drops()
  }
  viewer.close()
})

test('drain says when', async () => {
  const { server } = await opened()
  await server.says({ type: 'drain', reconnect_in_ms: 8_000 })
  await server.drops(4200)
  await pass(3_999)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  expect(Scripted.all.length).toBe(2)
})

test('what the server wants is done: back off, or stop', async () => {
  const first = await opened()
  await first.server.says({ type: 'error', code: 'rate_limited', message: 'slower', retry_after_ms: 20_000 })
  await first.server.drops(4100)
  await pass(19_999)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  expect(Scripted.all.length).toBe(2)
  const stopped: unknown[] = []
  first.viewer.on('stopped', e => stopped.push(e.code))
  await Scripted.last.welcomes()
  await Scripted.last.drops(4003)
  await pass(600_000)
  expect([Scripted.all.length, first.viewer.phase, stopped]).toEqual([2, 'stopped', ['forbidden']])
})

test('a token: first, again before it expires, and a fresh one when it was refused', async () => {
  let n = 0
  const viewer = new Viewer({ ...options, token: () => Promise.resolve(`t${++n}`) })
  viewer.subscribe()
  await Scripted.last.welcomes()
  expect(Scripted.last.sent[0]).toEqual({ type: 'auth', token: 't1' })
  await Scripted.last.says({ type: 'token_expiring', expires_at: 0 })
  expect(Scripted.last.sent.at(-1)).toEqual({ type: 'auth', token: 't2' })
  for (const more of [1, 2]) {
    await Scripted.last.drops(4001)
    await pass(1_000 * more)
    await Scripted.last.opens()
    expect(Scripted.last.sent[0]).toEqual({ type: 'auth', token: `t${2 + more}` })
  }
  await Scripted.last.drops(4001)
  expect(viewer.phase).toBe('stopped')
})

test('a fresh token that cannot be had does not cost the connection', async () => {
  const had: (string | undefined)[] = ['t1', undefined, undefined, 't2']
  const viewer = new Viewer({ ...options, token: () => { const t = had.shift(); return t ? Promise.resolve(t) : Promise.reject(new Error('away')) } })
  viewer.subscribe()
  await Scripted.last.welcomes()
  await Scripted.last.says({ type: 'token_expiring', expires_at: 0 })
  expect(had.length).toBe(2)
  await pass(3_000)
  expect([had.length, viewer.phase, Scripted.all.length, Scripted.last.sent.at(-1)]).toEqual([0, 'open', 1, { type: 'auth', token: 't2' }])
})

test('no more is sent at once than the server takes', async () => {
  const viewer = new Viewer({ ...options })
  for (let i = 0; i < 60; i++) viewer.watch(`8888_${i}`)
  await Scripted.last.welcomes()
  expect(Scripted.last.types().length).toBe(32)
  await pass(1_000)
  expect(Scripted.last.types().length).toBe(47) // 16 a second
  await pass(1_000)
  expect(new Set(Scripted.last.sent.map(m => m.code)).size).toBe(60)
  viewer.like('8888_1')
  await pass(300)
  expect(Scripted.last.sent.length).toBe(61)
})

test('a token that is always the same is not tried again', async () => {
  const viewer = new Viewer({ ...options, token: 'x' })
  viewer.subscribe()
  await Scripted.last.opens()
  await Scripted.last.drops(4001)
  expect(viewer.phase).toBe('stopped')
})

test('silence is a dead line', async () => {
  const { server } = await opened()
  await pass(50_000)
  await server.says({ type: 'ping' })
  await pass(62_499)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  expect(server.closed).toBeDefined()
  await pass(500)
  expect(Scripted.all.length).toBe(2)
})

test('a server that does not welcome is a dead line too', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await Scripted.last.opens()
  await pass(15_500)
  expect(Scripted.all.length).toBe(2)
})

test('views that are the same to the server', async () => {
  const { viewer, view, server } = await opened()
  const other = viewer.subscribe({ list: 'live', sort: 'viewers' })
  await server.answers('subscribe', snapshot('p1', entry('8888_a', 1), entry('8888_b', 2)))
  await server.says(diff('p1', 'p2', { del: ['8888_b'] }))
  expect([codes(view.entries), codes(other.entries)]).toEqual(['8888_a', '8888_a'])
  view.close()
  expect(server.types()).not.toContain('unsubscribe')
  other.close()
  expect(server.sent.at(-1)).toEqual({ type: 'unsubscribe', view: 'live/viewers/100' })
})

test('a query that is refused', async () => {
  const viewer = new Viewer(options)
  const view = viewer.subscribe({ list: 'nowhere' })
  const codesOf: string[] = []
  view.on('refused', e => codesOf.push(e.code))
  await Scripted.last.welcomes()
  await Scripted.last.answers('subscribe', { type: 'error', code: 'bad_request', message: 'no such list' })
  expect(codesOf).toEqual(['bad_request'])
  await Scripted.last.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  expect(Scripted.last.sent).toEqual([])
})

test('for await: the newest list, until it is closed', async () => {
  const { view, server } = await opened()
  const seen: string[] = []
  const done = (async () => { for await (const entries of view) seen.push(codes(entries)) })()
  await settle()
  await server.says(diff('p1', 'p2', { del: ['8888_a'] }))
  await server.says(diff('p2', 'p3', { del: ['8888_b'] }))
  view.close()
  await done
  expect(seen).toEqual(['8888_b 8888_a', '8888_b', ''])
})

test('watching one, and its end', async () => {
  const { viewer, server } = await opened()
  const watch = viewer.watch('8888_a', ['flv'])
  expect(viewer.watch('8888_a')).toBe(watch)
  expect(server.sent.at(-1)).toEqual({ type: 'watch', code: '8888_a', play: ['flv'], id: 2 })
  const urls: unknown[] = []
  watch.on('change', e => urls.push(e.play?.flv))
  await server.answers('watch', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q1', expires_at: 9, entry: entry('8888_a', 1, { play: { flv: 'u1' } }) })
  await server.says({ type: 'diff', view: 'code/8888_a', prev: 'q1', pos: 'q2', set: [{ code: '8888_a', play: { flv: 'u2' } }] })
  expect(urls).toEqual(['u1', 'u2'])
  await server.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  expect(Scripted.last.types()).toEqual(['subscribe', 'watch'])
  await Scripted.last.answers('watch', { type: 'error', code: 'not_found', message: 'it is over' })
  expect([watch.ended, watch.entry]).toEqual([true, undefined])
})

test('the end of a watched stream comes as a diff', async () => {
  const { viewer, server } = await opened()
  const watch = viewer.watch('8888_a')
  await server.answers('watch', { type: 'watching', code: '8888_a', view: 'code/8888_a', pos: 'q1', expires_at: 9, entry: entry('8888_a', 1) })
  await server.says({ type: 'diff', view: 'code/8888_a', prev: 'q1', pos: 'q2', del: ['8888_a'] })
  expect(watch.ended).toBe(true)
})

test('likes are sent together, and wait for a connection', async () => {
  const { viewer, server } = await opened()
  for (let i = 0; i < 130; i++) viewer.like('8888_a')
  await pass(300)
  expect(server.sent.at(-1)).toEqual({ type: 'like', code: '8888_a', n: 100 })
  await server.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  await pass(1_000)
  expect(Scripted.last.sent.at(-1)).toEqual({ type: 'like', code: '8888_a', n: 30 })
})

test('closed, it connects no more', async () => {
  const { viewer, server } = await opened()
  viewer.close()
  expect([server.closed, viewer.phase]).toEqual([{ code: 1000 }, 'stopped'])
  await pass(600_000)
  expect(Scripted.all.length).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('close codes to stay away from', async () => {
  for (const [code, why] of [[1000, 'stopped'], [1003, 'bad_request'], [1008, 'bad_request'], [1009, 'bad_request']] as const) {
    Scripted.reset()
    const viewer = new Viewer({ ...options, transport: 'socket' })
    const whys: string[] = []
    viewer.on('stopped', e => whys.push(e.code))
    const view = viewer.subscribe()
    await Scripted.last.welcomes()
    await Scripted.last.drops(code)
    await pass(600_000)
    expect([Scripted.all.length, whys, view.closed]).toEqual([1, [why], false])
    viewer.connect() // the app's wish
    await Scripted.last.welcomes()
    expect(Scripted.last.types()).toEqual(['subscribe'])
    viewer.close()
  }
})

test('what is no message is answered by a rest that grows', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (const text of ['{', 'null', '7', '{}', '[]', '{"type":1}']) {
    await Scripted.last.opens()
    Scripted.last.onmessage?.({ data: text })
    await pass(16_000)
  }
  expect(Scripted.all.length).toBe(7)
  for (let i = 0; i < 50; i++) {
    Scripted.last.onmessage?.({ data: 'null' })
    await pass(1)
  }
  expect(Scripted.all.length).toBe(7)
})

test('a token that is refused behind a welcome', async () => {
  let n = 0
  const viewer = new Viewer({ ...options, transport: 'socket', token: () => `t${++n}` })
  viewer.subscribe()
  for (let i = 0; i < 3; i++) {
    await Scripted.last.welcomes() // as nobody
    await Scripted.last.drops(4001)
    await pass(8_000)
  }
  expect([Scripted.all.length, n, viewer.phase]).toEqual([3, 3, 'stopped'])
})

test('a watch that is refused has not ended', async () => {
  const viewer = new Viewer(options)
  const [full, none] = [viewer.watch('8888_a'), viewer.watch('8888_b')]
  const said: string[] = []
  full.on('refused', why => said.push(why.code))
  full.on('ended', () => said.push('ended'))
  none.on('ended', () => said.push('none'))
  await Scripted.last.welcomes()
  await Scripted.last.says({ type: 'error', id: 1, code: 'limit_exceeded', message: 'full' }, { type: 'error', id: 2, code: 'not_found', message: 'none' })
  expect(said).toEqual(['limit_exceeded', 'none'])
})

test('what was closed meanwhile does not come back', async () => {
  const viewer = new Viewer(options)
  const [view, watch] = [viewer.subscribe(), viewer.watch('8888_a')]
  await Scripted.last.welcomes()
  await Scripted.last.answers('watch', { type: 'error', code: 'unavailable', message: 'later' })
  watch.close()
  view.close()
  await pass(3_000)
  await Scripted.last.answers('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
  expect(Scripted.last.sent.slice(2)).toEqual([{ type: 'unwatch', code: '8888_a' }, { type: 'unsubscribe', view: 'v' }])
  for await (const _ of view) throw new Error('it is closed')
})

test('a good line that went silent is the first attempt again, and a rest is kept when woken', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  for (let i = 0; i < 6; i++) {
    await Scripted.last.welcomes()
    await Scripted.last.answers('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
    await pass(62_500 + 500)
    expect(Scripted.all.length).toBe(i + 2)
  }
  await Scripted.last.welcomes()
  await Scripted.last.says({ type: 'error', code: 'rate_limited', message: 'slow', retry_after_ms: 20_000 })
  await Scripted.last.drops(4100)
  viewer.wake()
  await pass(19_999)
  expect(Scripted.all.length).toBe(7)
  await pass(1)
  expect(Scripted.all.length).toBe(8)
})

test('a like connects', async () => {
  const viewer = new Viewer(options)
  viewer.like('8888_a')
  await Scripted.last.welcomes()
  await pass(1_300)
  expect(Scripted.last.sent).toEqual([{ type: 'like', code: '8888_a', n: 1 }])
})

test('a clock that is set back does not hide a dead line', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await Scripted.last.welcomes()
  await Scripted.last.answers('subscribe', { type: 'snapshot', view: 'v', pos: 'p', total: 0, streams: [] })
  vi.setSystemTime(Date.now() - 3_600_000)
  await pass(15_000 + 62_500 + 500) // it is seen when an answer would have been due
  expect(Scripted.all.length).toBe(2)
})

test('a server without room is not asked again at once', async () => {
  const viewer = new Viewer({ ...options, transport: 'socket' })
  viewer.subscribe()
  await Scripted.last.drops(1013)
  await pass(3_999)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  expect(Scripted.all.length).toBe(2)
})
