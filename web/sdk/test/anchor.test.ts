import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Anchor, type AnchorOptions } from '../src/index.js'
import { options, pass, Scripted, settle } from './script.js'

beforeEach(() => { vi.useFakeTimers(); Scripted.reset() })
afterEach(() => { vi.useRealTimers() })

function memory() {
  const kept = new Map<string, string>()
  return {
    getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k), kept,
  }
}

const started = {
  type: 'started', session: 'secret', stream: { code: '8888_a', anchor: 'a', title: 'x', state: 'starting', started_at: 1, viewers: 0, likes: 0 },
  push: { rtmp: 'rtmp://x', server: 's', key: 'k', expires_at: 9 },
}
const ack = (n: number, more: object = {}) => ({ type: 'ack', n, server_time: 0, deadline_in_ms: 185_000, ...more })

async function onAir(more: AnchorOptions = {}) {
  const storage = memory()
  const anchor = new Anchor({ ...options, token: 't', storage, ...more })
  const said = anchor.start({ title: 'x' })
  await Scripted.last.welcomes()
  await Scripted.last.answers('start', started)
  await said
  const server = Scripted.last
  await server.says(ack(1))
  return { anchor, server, storage }
}

test('start, the first beat at once, and then on the interval', async () => {
  const states: string[] = []
  const anchor = new Anchor({ ...options, token: 't', storage: null, stats: () => ({ fps: 30 }) })
  anchor.on('state', s => states.push(s))
  const said = anchor.start({ title: 'x', tags: ['game'] })
  expect(Scripted.last.url).toBe('wss://live.example.com/v1/anchor')
  await Scripted.last.welcomes()
  const server = Scripted.last
  expect(server.types()).toEqual(['auth', 'start'])
  expect(server.sent[1]).toMatchObject({ title: 'x', tags: ['game'], key: expect.stringMatching(/^[a-z0-9]{16,64}$/) })
  await server.answers('start', started)
  expect((await said).code).toBe('8888_a')
  expect(anchor.push?.rtmp).toBe('rtmp://x')
  expect(server.sent[2]).toEqual({ type: 'beat', n: 1, stats: { fps: 30 } })
  await server.says(ack(1))
  await pass(59_999)
  expect(server.types().filter(t => t === 'beat').length).toBe(1)
  await pass(1)
  expect(server.sent.at(-1)).toMatchObject({ type: 'beat', n: 2 })
  expect(states).toEqual(['starting', 'live'])
})

test('a lost answer is asked for again under the same key', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const said = anchor.start({ title: 'x' })
  await Scripted.last.welcomes()
  const key = Scripted.last.sent[0]!.key
  await Scripted.last.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  expect(Scripted.last.sent[0]).toMatchObject({ type: 'start', key })
  await Scripted.last.answers('start', { type: 'error', code: 'unavailable', message: 'elsewhere', retry_after_ms: 700 })
  await pass(700)
  expect(Scripted.last.sent[1]).toMatchObject({ type: 'start', key })
  await Scripted.last.answers('start', started)
  expect((await said).code).toBe('8888_a')
})

test('a start that is refused', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const said = anchor.start({ title: 'x' }).catch((e: Error) => e)
  await Scripted.last.welcomes()
  await Scripted.last.answers('start', { type: 'error', code: 'banned', message: 'no' })
  expect(await said).toMatchObject({ code: 'banned' })
  expect(anchor.state).toBe('idle')
})

test('stopped while it starts', async () => {
  const anchor = new Anchor({ ...options, storage: null })
  const said = anchor.start({ title: 'x' })
  const over = anchor.stop()
  await Scripted.last.welcomes()
  const server = Scripted.last
  await server.answers('start', started)
  expect((await said).code).toBe('8888_a')
  await server.answers('stop', { type: 'stopped', summary: { duration_ms: 1, peak_viewers: 0, likes: 0 } })
  expect(await over).toMatchObject({ duration_ms: 1 })
  expect(anchor.state).toBe('ended')

  const refused = anchor.start({ title: 'x' }).catch((e: Error) => e)
  const none = anchor.stop()
  await Scripted.last.answers('start', { type: 'error', code: 'banned', message: 'no' })
  expect([await refused, await none, anchor.state]).toMatchObject([{ code: 'banned' }, undefined, 'idle'])
})

test('a connection that does not answer is given up', async () => {
  const { anchor, server } = await onAir()
  await server.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  expect(Scripted.last.types()).toEqual(['auth', 'resume'])
  const dead = Scripted.last
  await pass(14_999)
  expect([Scripted.all.length, dead.closed]).toEqual([2, undefined])
  await pass(2_001)
  await Scripted.last.welcomes()
  expect([Scripted.all.length, Scripted.last.types()]).toEqual([3, ['auth', 'resume']])
  await Scripted.last.answers('resume', started)
  expect(anchor.state).toBe('live')
})

test('nothing waits for a connection that has stopped', async () => {
  const { anchor, server } = await onAir()
  const updated = anchor.update({ title: 'y' }).catch((e: Error) => e)
  await server.drops(4003)
  expect([await updated, anchor.state]).toMatchObject([{ code: 'forbidden' }, 'interrupted'])
  expect(await anchor.stop().catch((e: Error) => e)).toMatchObject({ code: 'forbidden' })
  const resumed = anchor.resume('secret').catch((e: Error) => e)
  await Scripted.last.drops(4001)
  expect(await resumed).toMatchObject({ code: 'unauthorized' })
  const again = anchor.resume('secret').catch((e: Error) => e)
  anchor.close()
  expect(await again).toMatchObject({ code: 'stopped' })
  const anew = anchor.start({ title: 'z' })
  await Scripted.last.welcomes()
  await Scripted.last.answers('start', { ...started, session: 'new' })
  expect([(await anew).code, anchor.session, anchor.state]).toEqual(['8888_a', 'new', 'live'])
})

test('connect goes on with what was on air', async () => {
  const { anchor, server } = await onAir()
  await server.drops(4001)
  expect([anchor.phase, anchor.state]).toEqual(['stopped', 'interrupted'])
  anchor.connect()
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', started)
  expect([anchor.phase, anchor.state]).toEqual(['open', 'live'])
})

test('a session that is not the user\'s is given up, and not asked for again', async () => {
  const storage = memory()
  storage.setItem('onair.session', JSON.stringify({ session: 'theirs', url: options.url }))
  const anchor = new Anchor({ ...options, storage })
  const resumed = anchor.resume().catch((e: Error) => e)
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', { type: 'error', code: 'forbidden', message: 'not yours' })
  expect(await resumed).toMatchObject({ code: 'forbidden' })
  await pass(60_000)
  expect([Scripted.all.length, storage.kept.size, anchor.phase]).toEqual([1, 0, 'stopped'])
})

test('a node that refuses for now is left for another', async () => {
  const { anchor, server } = await onAir()
  await server.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  for (let i = 0; i < 3; i++) {
    expect([Scripted.all.length, Scripted.last.types().filter(t => t === 'resume').length]).toEqual([2, i + 1])
    await Scripted.last.answers('resume', { type: 'error', code: 'unavailable', message: 'no log' })
    await pass(1_250)
  }
  await pass(1_000)
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', started)
  expect([Scripted.all.length, anchor.state]).toEqual([3, 'live'])
})

test('faults of the app are its own', async () => {
  const faults: unknown[] = []
  const on = (error: unknown) => void faults.push(error)
  process.on('uncaughtException', on)
  const full = () => { throw new Error('full') }
  const { anchor, server } = await onAir({ stats: full, storage: { getItem: full, setItem: full, removeItem: full } })
  expect([anchor.state, server.types()]).toEqual(['live', ['auth', 'start', 'beat']])
  await pass(60_000)
  expect(server.types().filter(t => t === 'beat').length).toBe(2)
  expect(Scripted.all.length).toBe(1)
  vi.useRealTimers()
  await new Promise(resolve => setTimeout(resolve))
  process.off('uncaughtException', on)
  expect(faults.length).toBe(2)
})

test('who is woken again and again finds a dead line all the same', async () => {
  const { anchor } = await onAir()
  await pass(60_000)
  for (let i = 0; i < 3; i++) {
    await pass(3_000)
    anchor.wake()
  }
  await pass(1_001)
  expect(Scripted.all.length).toBe(2)
})

test('no ack within ten seconds: another connection, and resume', async () => {
  const { anchor, server } = await onAir()
  await pass(60_000)
  const missed: number[] = []
  anchor.on('missed', m => missed.push(m.n))
  await pass(9_999)
  expect(Scripted.all.length).toBe(1)
  await pass(1)
  expect([missed, anchor.state]).toEqual([[2], 'interrupted'])
  expect(server.closed).toBeDefined()
  await pass(1)
  await Scripted.last.welcomes({ node: 'n2' })
  expect(Scripted.last.types()).toEqual(['auth', 'resume'])
  expect(Scripted.last.sent[1]).toMatchObject({ session: 'secret' })
  await Scripted.last.answers('resume', started)
  expect([anchor.state, Scripted.last.sent[2]]).toMatchObject(['live', { type: 'beat', n: 3 }])
})

test('a probe, and a new interval, are answered with a beat at once', async () => {
  const { anchor, server } = await onAir()
  await server.says({ type: 'probe' }, ack(2))
  expect(server.sent.at(-1)).toMatchObject({ type: 'beat', n: 2 })
  await server.says({ type: 'settings', heartbeat_ms: 5_000 }, ack(3))
  expect([anchor.interval, server.sent.at(-1)]).toMatchObject([5_000, { n: 3 }])
  await pass(5_000)
  expect(server.sent.at(-1)).toMatchObject({ n: 4 })
  await pass(1_251) // a quarter of the interval
  expect(Scripted.all.length).toBe(2)
})

test('acks tell what they promise', async () => {
  const { anchor, server } = await onAir()
  const acks: unknown[] = []
  anchor.on('ack', a => acks.push(a))
  anchor.beat()
  await pass(40)
  await server.says(ack(2, { held: true }), ack(2), ack(77))
  expect(acks).toEqual([{ n: 2, held: true, deadlineMs: 185_000, roundTripMs: 40 }])
})

test('the end, and that nothing is sent after it', async () => {
  const { anchor, server, storage } = await onAir()
  const ends: unknown[] = []
  anchor.on('ended', e => ends.push(e))
  await server.says({ type: 'ended', reason: 'missed_beats', summary: { duration_ms: 1, peak_viewers: 2, likes: 3 } })
  await server.drops(4208)
  await pass(600_000)
  expect(ends).toEqual([{ reason: 'missed_beats', summary: { duration_ms: 1, peak_viewers: 2, likes: 3 } }])
  expect([anchor.state, storage.kept.size]).toEqual(['ended', 0])
  expect(Scripted.all.flatMap(s => s.types()).filter(t => t === 'resume' || t === 'start').length).toBe(1)
})

test('taken over by another device', async () => {
  const { anchor, server } = await onAir()
  await server.drops(4009)
  expect([anchor.state, anchor.ending?.reason, anchor.phase]).toEqual(['ended', 'taken_over', 'stopped'])
})

test('a reload resumes, and a session that is over is not', async () => {
  const { storage, anchor: before } = await onAir()
  before.close()
  const anchor = new Anchor({ ...options, storage })
  const back = anchor.resume()
  await Scripted.last.welcomes()
  expect(Scripted.last.sent[0]).toMatchObject({ type: 'resume', session: 'secret' })
  await Scripted.last.answers('resume', started)
  expect([await back, anchor.state]).toEqual([true, 'live'])
  anchor.close()
  const later = new Anchor({ ...options, storage })
  const gone = later.resume()
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', { type: 'error', code: 'session_gone', message: 'over', reason: 'kicked' })
  expect([await gone, later.ending?.reason, storage.kept.size]).toEqual([false, 'kicked', 0])
  expect(await new Anchor({ ...options, storage }).resume()).toBe(false)
})

test('a session of another server is not resumed', async () => {
  const { storage, anchor } = await onAir()
  anchor.close()
  expect(await new Anchor({ ...options, url: 'https://other.example.com', storage }).resume()).toBe(false)
})

test('update, push and stop', async () => {
  const { anchor, server, storage } = await onAir()
  const updated = anchor.update({ title: 'new', cover: null })
  await settle()
  expect(server.sent.at(-1)).toMatchObject({ type: 'update', title: 'new', cover: null })
  await server.answers('update', { type: 'updated', stream: { ...started.stream, title: 'new' } })
  expect([(await updated).title, anchor.stream?.title]).toEqual(['new', 'new'])
  const fresh = anchor.refreshPush()
  await settle()
  await server.answers('push', { type: 'push', push: { ...started.push, rtmp: 'rtmp://y' } })
  expect((await fresh).rtmp).toBe('rtmp://y')
  const stopped = anchor.stop()
  await settle()
  await server.answers('stop', { type: 'stopped', summary: { duration_ms: 5, peak_viewers: 1, likes: 0 } })
  expect([(await stopped)?.duration_ms, anchor.state, storage.kept.size]).toEqual([5, 'ended', 0])
  await pass(600_000)
  expect(server.types().filter(t => t === 'beat').length).toBe(1)
})

test('a stop while the connection is lost waits for the next', async () => {
  const { anchor, server } = await onAir()
  await server.drops()
  const stopped = anchor.stop()
  await pass(1_000)
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', started)
  await settle()
  await Scripted.last.answers('stop', { type: 'stopped', summary: { duration_ms: 5, peak_viewers: 1, likes: 0 } })
  expect((await stopped)?.duration_ms).toBe(5)
})

test('degraded: a second socket takes over if it is welcomed and may resume', async () => {
  const { anchor, server } = await onAir()
  await server.says({ type: 'notice', code: 'degraded', message: 'behind' })
  expect(Scripted.all.length).toBe(2)
  await Scripted.last.welcomes({ node: 'n2' })
  await Scripted.last.answers('resume', started)
  expect([anchor.state, server.closed !== undefined, Scripted.last.sent.at(-1)]).toMatchObject(['live', true, { type: 'beat' }])
})

test('degraded: the first socket may be closed before the second has its answer', async () => {
  for (const refused of [false, true]) {
    Scripted.reset()
    const { anchor, server } = await onAir()
    const states: string[] = []
    anchor.on('state', s => states.push(s))
    await server.says({ type: 'notice', code: 'degraded', message: 'behind' })
    await Scripted.last.welcomes({ node: 'n2' })
    await server.drops(4009)
    await Scripted.last.answers('resume', refused ? { type: 'error', code: 'unavailable', message: 'no' } : started)
    expect([states, anchor.state, anchor.phase]).toEqual(refused ? [['interrupted', 'ended'], 'ended', 'stopped'] : [[], 'live', 'open'])
  }
})

test('what was asked on a connection that is lost, or left, is asked again', async () => {
  const { anchor, server } = await onAir()
  await server.says({ type: 'notice', code: 'degraded', message: 'behind' })
  const updated = anchor.update({ title: 'new' })
  await settle()
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', started)
  expect(Scripted.last.types()).toContain('update')
  await Scripted.last.drops()
  await pass(1_000)
  await Scripted.last.welcomes()
  await Scripted.last.answers('resume', started)
  await Scripted.last.answers('update', { type: 'updated', stream: { ...started.stream, title: 'new' } })
  expect((await updated).title).toBe('new')
})

test('degraded: the first stays when the second fails', async () => {
  const { anchor, server } = await onAir()
  await server.says({ type: 'notice', code: 'degraded', message: 'behind' })
  await Scripted.last.drops(1013)
  await pass(50_000)
  expect([anchor.state, server.closed, Scripted.all.length]).toEqual(['live', undefined, 2])
})
