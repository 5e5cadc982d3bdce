import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Anchor, type AnchorOptions } from '../src/index.js'
import { advanceTimers, FakeSocket, flushPromises, memoryStorage, options, started } from './fakesocket.js'

beforeEach(() => { vi.useFakeTimers(); FakeSocket.reset() })
afterEach(() => { vi.useRealTimers() })

const ack = (n: number, members: object = {}) => ({ type: 'ack', n, server_time: 0, deadline_in_ms: 185_000, ...members })

/** An anchor that is live, with its socket and storage. */
async function liveAnchor(moreOptions: AnchorOptions = {}) {
  const storage = memoryStorage()
  const anchor = new Anchor({ ...options, token: 't', storage, ...moreOptions })
  const starting = anchor.start({ title: 'x' })
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('start', started)
  await starting
  const server = FakeSocket.last
  await server.deliver(ack(1))
  return { anchor, server, storage }
}

test('the first beat follows the start at once, and the next ones the interval', async () => {
  const states: string[] = []
  const anchor = new Anchor({ ...options, token: 't', storage: null, stats: () => ({ fps: 30 }) })
  anchor.on('state', s => states.push(s))
  const starting = anchor.start({ title: 'x', tags: ['game'] })
  expect(FakeSocket.last.url).toBe('wss://live.example.com/v1/anchor')
  await FakeSocket.last.welcome()
  const server = FakeSocket.last
  expect(server.sentTypes()).toEqual(['auth', 'start'])
  expect(server.sent[1]).toMatchObject({ title: 'x', tags: ['game'], key: expect.stringMatching(/^[a-z0-9]{16,64}$/) })
  await server.answer('start', started)
  expect((await starting).code).toBe('8888_a')
  expect(anchor.push?.rtmp).toBe('rtmp://x')
  expect(server.sent[2]).toEqual({ type: 'beat', n: 1, stats: { fps: 30 } })
  await server.deliver(ack(1))
  await advanceTimers(59_999)
  expect(server.sentTypes().filter(t => t === 'beat').length).toBe(1)
  await advanceTimers(1)
  expect(server.sent.at(-1)).toMatchObject({ type: 'beat', n: 2 })
  expect(states).toEqual(['starting', 'live'])
})

test('the delays of reconnects are bounded by the lease', async () => {
  const { server } = await liveAnchor()
  await server.deliver({ type: 'settings', heartbeat_ms: 10_000 }, ack(2))
  await advanceTimers(6_000) // the connection was stable
  await server.drop()
  for (const bound of [1, 2, 4, 5, 5]) {
    const n = FakeSocket.all.length
    await advanceTimers(bound * 500 - 1)
    expect(FakeSocket.all.length).toBe(n)
    await advanceTimers(1)
    expect(FakeSocket.all.length).toBe(n + 1)
    await FakeSocket.last.welcome({ heartbeat_ms: 10_000 }) // and not stable
    await FakeSocket.last.drop()
  }
})

test('a start without an answer is repeated with the same key', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const starting = anchor.start({ title: 'x' })
  await FakeSocket.last.welcome()
  const key = FakeSocket.last.sent[0]!.key
  await FakeSocket.last.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sent[0]).toMatchObject({ type: 'start', key })
  await FakeSocket.last.answer('start', { type: 'error', code: 'unavailable', message: 'elsewhere', retry_after_ms: 700 })
  await advanceTimers(700)
  expect(FakeSocket.last.sent[1]).toMatchObject({ type: 'start', key })
  await FakeSocket.last.answer('start', started)
  expect((await starting).code).toBe('8888_a')
})

test('a rejected start leaves the anchor idle', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const starting = anchor.start({ title: 'x' }).catch((e: Error) => e)
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('start', { type: 'error', code: 'banned', message: 'no' })
  expect(await starting).toMatchObject({ code: 'banned' })
  expect(anchor.state).toBe('idle')
})

test('a stop during the start waits for its answer', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const starting = anchor.start({ title: 'x' })
  const stopping = anchor.stop()
  await FakeSocket.last.welcome()
  const server = FakeSocket.last
  await server.answer('start', started)
  expect((await starting).code).toBe('8888_a')
  await server.answer('stop', { type: 'stopped', summary: { duration_ms: 1, peak_viewers: 0, likes: 0 } })
  expect(await stopping).toMatchObject({ duration_ms: 1 })
  expect(anchor.state).toBe('ended')

  const rejected = anchor.start({ title: 'x' }).catch((e: Error) => e)
  const nothing = anchor.stop()
  await FakeSocket.last.answer('start', { type: 'error', code: 'banned', message: 'no' })
  expect([await rejected, await nothing, anchor.state]).toMatchObject([{ code: 'banned' }, undefined, 'idle'])
})

test('a connection without answers is replaced', async () => {
  const { anchor, server } = await liveAnchor()
  await server.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sentTypes()).toEqual(['auth', 'resume'])
  const dead = FakeSocket.last
  await advanceTimers(14_999)
  expect([FakeSocket.all.length, dead.closed]).toEqual([2, undefined])
  await advanceTimers(2_001)
  await FakeSocket.last.welcome()
  expect([FakeSocket.all.length, FakeSocket.last.sentTypes()]).toEqual([3, ['auth', 'resume']])
  await FakeSocket.last.answer('resume', started)
  expect(anchor.state).toBe('live')
})

test('requests fail when the connection is stopped', async () => {
  const { anchor, server } = await liveAnchor()
  const updating = anchor.update({ title: 'y' }).catch((e: Error) => e)
  await server.drop(4003)
  expect([await updating, anchor.state]).toMatchObject([{ code: 'forbidden' }, 'interrupted'])
  expect(await anchor.stop().catch((e: Error) => e)).toMatchObject({ code: 'forbidden' })
  const resuming = anchor.resume('secret').catch((e: Error) => e)
  await FakeSocket.last.drop(4001)
  expect(await resuming).toMatchObject({ code: 'unauthorized' })
  const resumingAgain = anchor.resume('secret').catch((e: Error) => e)
  anchor.close()
  expect(await resumingAgain).toMatchObject({ code: 'stopped' })
  const restarting = anchor.start({ title: 'z' })
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('start', { ...started, session: 'new' })
  expect([(await restarting).code, anchor.session, anchor.state]).toEqual(['8888_a', 'new', 'live'])
})

test('connect resumes the session after a stop', async () => {
  const { anchor, server } = await liveAnchor()
  await server.drop(4001)
  expect([anchor.connectionState, anchor.state]).toEqual(['stopped', 'interrupted'])
  anchor.connect()
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', started)
  expect([anchor.connectionState, anchor.state]).toEqual(['open', 'live'])
})

test('the session of another user is discarded, and not resumed again', async () => {
  const storage = memoryStorage()
  storage.setItem('onair.session', JSON.stringify({ session: 'theirs', url: options.url }))
  const anchor = new Anchor({ ...options, storage })
  const resuming = anchor.resume().catch((e: Error) => e)
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', { type: 'error', code: 'forbidden', message: 'not yours' })
  expect(await resuming).toMatchObject({ code: 'forbidden' })
  await advanceTimers(60_000)
  expect([FakeSocket.all.length, storage.items.size, anchor.connectionState]).toEqual([1, 0, 'stopped'])
})

test('after three temporary failures the anchor connects to another node', async () => {
  const { anchor, server } = await liveAnchor()
  await server.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  for (let i = 0; i < 3; i++) {
    expect([FakeSocket.all.length, FakeSocket.last.sentTypes().filter(t => t === 'resume').length]).toEqual([2, i + 1])
    await FakeSocket.last.answer('resume', { type: 'error', code: 'unavailable', message: 'no log' })
    await advanceTimers(1_250)
  }
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', started)
  expect([FakeSocket.all.length, anchor.state]).toEqual([3, 'live'])
})

test('exceptions of the app do not stop the anchor', async () => {
  const uncaught: unknown[] = []
  const listener = (error: unknown) => void uncaught.push(error)
  process.on('uncaughtException', listener)
  const fail = () => { throw new Error('full') }
  const { anchor, server } = await liveAnchor({ stats: fail, storage: { getItem: fail, setItem: fail, removeItem: fail } })
  expect([anchor.state, server.sentTypes()]).toEqual(['live', ['auth', 'start', 'beat']])
  await advanceTimers(60_000)
  expect(server.sentTypes().filter(t => t === 'beat').length).toBe(2)
  expect(FakeSocket.all.length).toBe(1)
  vi.useRealTimers()
  await new Promise(resolve => setTimeout(resolve))
  process.off('uncaughtException', listener)
  expect(uncaught.length).toBe(2)
})

test('repeated wakes do not hide a dead connection', async () => {
  const { anchor } = await liveAnchor()
  await advanceTimers(60_000)
  for (let i = 0; i < 3; i++) {
    await advanceTimers(3_000)
    anchor.wake()
  }
  await advanceTimers(1_001)
  expect(FakeSocket.all.length).toBe(2)
})

test('without an ack within ten seconds the session is resumed on another connection', async () => {
  const { anchor, server } = await liveAnchor()
  await advanceTimers(60_000)
  const unacknowledged: number[] = []
  anchor.on('ackTimeout', e => unacknowledged.push(e.n))
  await advanceTimers(9_999)
  expect(FakeSocket.all.length).toBe(1)
  await advanceTimers(1)
  expect([unacknowledged, anchor.state]).toEqual([[2], 'interrupted'])
  expect(server.closed).toBeDefined()
  await advanceTimers(1)
  await FakeSocket.last.welcome({ node: 'n2' })
  expect(FakeSocket.last.sentTypes()).toEqual(['auth', 'resume'])
  expect(FakeSocket.last.sent[1]).toMatchObject({ session: 'secret' })
  await FakeSocket.last.answer('resume', started)
  expect([anchor.state, FakeSocket.last.sent[2]]).toMatchObject(['live', { type: 'beat', n: 3 }])
})

test('a probe and a new interval are answered with a beat at once', async () => {
  const { anchor, server } = await liveAnchor()
  await server.deliver({ type: 'probe' }, ack(2))
  expect(server.sent.at(-1)).toMatchObject({ type: 'beat', n: 2 })
  await server.deliver({ type: 'settings', heartbeat_ms: 5_000 }, ack(3))
  expect([anchor.intervalMs, server.sent.at(-1)]).toMatchObject([5_000, { n: 3 }])
  await advanceTimers(5_000)
  expect(server.sent.at(-1)).toMatchObject({ n: 4 })
  await advanceTimers(1_251) // a quarter of the interval
  expect(FakeSocket.all.length).toBe(2)
})

test('ack events carry the flag held, the deadline and the round trip', async () => {
  const { anchor, server } = await liveAnchor()
  const acks: unknown[] = []
  anchor.on('ack', a => acks.push(a))
  anchor.beat()
  await advanceTimers(40)
  await server.deliver(ack(2, { held: true }), ack(2), ack(77))
  expect(acks).toEqual([{ n: 2, held: true, deadlineMs: 185_000, roundTripMs: 40 }])
})

test('after the end nothing is sent', async () => {
  const { anchor, server, storage } = await liveAnchor()
  const ends: unknown[] = []
  anchor.on('ended', e => ends.push(e))
  await server.deliver({ type: 'ended', reason: 'missed_beats', summary: { duration_ms: 1, peak_viewers: 2, likes: 3 } })
  await server.drop(4208)
  await advanceTimers(600_000)
  expect(ends).toEqual([{ reason: 'missed_beats', summary: { duration_ms: 1, peak_viewers: 2, likes: 3 } }])
  expect([anchor.state, storage.items.size]).toEqual(['ended', 0])
  expect(FakeSocket.all.flatMap(s => s.sentTypes()).filter(t => t === 'resume' || t === 'start').length).toBe(1)
})

test('a takeover by another device ends the broadcast', async () => {
  const { anchor, server } = await liveAnchor()
  await server.drop(4009)
  expect([anchor.state, anchor.ending?.reason, anchor.connectionState]).toEqual(['ended', 'taken_over', 'stopped'])
})

test('a reload resumes the session, unless it has ended', async () => {
  const { storage, anchor: before } = await liveAnchor()
  before.close()
  const anchor = new Anchor({ ...options, storage })
  const resuming = anchor.resume()
  await FakeSocket.last.welcome()
  expect(FakeSocket.last.sent[0]).toMatchObject({ type: 'resume', session: 'secret' })
  await FakeSocket.last.answer('resume', started)
  expect([await resuming, anchor.state]).toEqual([true, 'live'])
  anchor.close()
  const later = new Anchor({ ...options, storage })
  const resumingLater = later.resume()
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', { type: 'error', code: 'session_gone', message: 'over', reason: 'kicked' })
  expect([await resumingLater, later.ending?.reason, storage.items.size]).toEqual([false, 'kicked', 0])
  expect(await new Anchor({ ...options, storage }).resume()).toBe(false)
})

test('the session of another server is not resumed', async () => {
  const { storage, anchor } = await liveAnchor()
  anchor.close()
  expect(await new Anchor({ ...options, url: 'https://other.example.com', storage }).resume()).toBe(false)
})

test('update, push and stop return their answers', async () => {
  const { anchor, server, storage } = await liveAnchor()
  const updating = anchor.update({ title: 'new', cover: null })
  await flushPromises()
  expect(server.sent.at(-1)).toMatchObject({ type: 'update', title: 'new', cover: null })
  await server.answer('update', { type: 'updated', stream: { ...started.stream, title: 'new' } })
  expect([(await updating).title, anchor.stream?.title]).toEqual(['new', 'new'])
  const refreshing = anchor.refreshPushURLs()
  await flushPromises()
  await server.answer('push', { type: 'push', push: { ...started.push, rtmp: 'rtmp://y' } })
  expect((await refreshing).rtmp).toBe('rtmp://y')
  const stopping = anchor.stop()
  await flushPromises()
  await server.answer('stop', { type: 'stopped', summary: { duration_ms: 5, peak_viewers: 1, likes: 0 } })
  expect([(await stopping)?.duration_ms, anchor.state, storage.items.size]).toEqual([5, 'ended', 0])
  await advanceTimers(600_000)
  expect(server.sentTypes().filter(t => t === 'beat').length).toBe(1)
})

test('a stop without a connection waits for the next one', async () => {
  const { anchor, server } = await liveAnchor()
  await server.drop()
  const stopping = anchor.stop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', started)
  await flushPromises()
  await FakeSocket.last.answer('stop', { type: 'stopped', summary: { duration_ms: 5, peak_viewers: 1, likes: 0 } })
  expect((await stopping)?.duration_ms).toBe(5)
})

test('degraded: a second socket takes over when it has resumed the session', async () => {
  const { anchor, server } = await liveAnchor()
  await server.deliver({ type: 'notice', code: 'degraded', message: 'behind' })
  expect(FakeSocket.all.length).toBe(2)
  await FakeSocket.last.welcome({ node: 'n2' })
  await FakeSocket.last.answer('resume', started)
  expect([anchor.state, server.closed !== undefined, FakeSocket.last.sent.at(-1)]).toMatchObject(['live', true, { type: 'beat' }])
})

test('degraded: the first socket may close before the second has its answer', async () => {
  for (const isRejected of [false, true]) {
    FakeSocket.reset()
    const { anchor, server } = await liveAnchor()
    const states: string[] = []
    anchor.on('state', s => states.push(s))
    await server.deliver({ type: 'notice', code: 'degraded', message: 'behind' })
    await FakeSocket.last.welcome({ node: 'n2' })
    await server.drop(4009)
    await FakeSocket.last.answer('resume', isRejected ? { type: 'error', code: 'unavailable', message: 'no' } : started)
    expect([states, anchor.state, anchor.connectionState]).toEqual(isRejected ? [['interrupted', 'ended'], 'ended', 'stopped'] : [[], 'live', 'open'])
  }
})

test('a request on a lost or replaced connection is repeated', async () => {
  const { anchor, server } = await liveAnchor()
  await server.deliver({ type: 'notice', code: 'degraded', message: 'behind' })
  const updating = anchor.update({ title: 'new' })
  await flushPromises()
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', started)
  expect(FakeSocket.last.sentTypes()).toContain('update')
  await FakeSocket.last.drop()
  await advanceTimers(1_000)
  await FakeSocket.last.welcome()
  await FakeSocket.last.answer('resume', started)
  await FakeSocket.last.answer('update', { type: 'updated', stream: { ...started.stream, title: 'new' } })
  expect((await updating).title).toBe('new')
})

test('degraded: the first socket stays when the second fails', async () => {
  const { anchor, server } = await liveAnchor()
  await server.deliver({ type: 'notice', code: 'degraded', message: 'behind' })
  await FakeSocket.last.drop(1013)
  await advanceTimers(50_000)
  expect([anchor.state, server.closed, FakeSocket.all.length]).toEqual(['live', undefined, 2])
})
