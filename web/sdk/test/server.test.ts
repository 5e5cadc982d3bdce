// The clients against the server's binary, with real sockets in real time.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WebSocket as NodeSocket } from 'ws'
import { Anchor, Viewer, type ViewerOptions } from '../src/index.js'
import { memoryStorage } from './fakesocket.js'
import { TestServer } from './testserver.js'

const WebSocket = NodeSocket as unknown as ViewerOptions['WebSocket']

let server: TestServer
let clients: { close(): void }[] = []

const startServer = () => server.start('--heartbeat.interval', '1s')

function newAnchor(sub: string): Anchor {
  const a = new Anchor({ url: server.url, token: server.newToken('anchor', sub), WebSocket, storage: null })
  clients.push(a)
  return a
}

function newViewer(options: ViewerOptions = {}): Viewer {
  const v = new Viewer({ url: server.url, WebSocket, ...options })
  clients.push(v)
  return v
}

const eventually = (assertion: () => void) => vi.waitFor(assertion, { timeout: 20_000, interval: 20 })

beforeEach(async () => {
  server = new TestServer()
  await startServer()
})

afterEach(async () => {
  for (const client of clients) client.close()
  clients = []
  await server.close()
})

for (const transport of ['socket', 'events'] as const) {
  test(`a viewer with transport ${transport} receives a broadcast from its start to its end`, async () => {
    const view = newViewer({ transport }).subscribe({ sort: 'started', play: ['flv'] })
    await eventually(() => expect(view.stale).toBe(false))
    const alice = newAnchor('alice')
    const stream = await alice.start({ title: 'Hello', tags: ['game'] })
    expect(alice.push!.rtmp).toContain('/live/8888_alice?txSecret=')
    await eventually(() => expect(view.get(stream.code)).toMatchObject({ title: 'Hello', state: 'live', tags: ['game'], play: { flv: expect.stringContaining('8888_alice.flv?') } }))
    await alice.update({ title: 'New', tags: null })
    await eventually(() => expect(view.get(stream.code)).toMatchObject({ title: 'New', state: 'live' }))
    expect(view.get(stream.code)!.tags).toBeUndefined()
    const watcher = newViewer({ transport })
    const watch = watcher.watch(stream.code, ['flv'])
    await eventually(() => expect(watch.entry?.play?.flv).toContain('txSecret='))
    watcher.like(stream.code, 3)
    await eventually(() => expect(view.get(stream.code)).toMatchObject({ viewers: 1, likes: 3 }))
    expect((await watcher.listStreams()).streams).toMatchObject([{ code: stream.code }])
    expect(await watcher.listRecordings()).toEqual({ recordings: [] })
    expect(await alice.stop()).toMatchObject({ peak_viewers: 1, likes: 3 })
    await eventually(() => expect([view.entries.length, watch.ended]).toEqual([0, true]))
  })
}

test('three missed beats end a broadcast', async () => {
  const view = newViewer().subscribe()
  const alice = newAnchor('alice')
  await alice.start({ title: 'x' })
  await eventually(() => expect(view.entries[0]?.state).toBe('live'))
  alice.close()
  await eventually(() => expect(view.entries[0]).toMatchObject({ state: 'away', away: 'missed_beat' }))
  await eventually(() => expect(view.entries.length).toBe(0))
})

test('clients survive a graceful and a hard restart of the server', async () => {
  const view = newViewer().subscribe()
  const alice = newAnchor('alice')
  const ends: unknown[] = []
  alice.on('ended', e => ends.push(e))
  await alice.start({ title: 'x' })
  await eventually(() => expect(view.entries[0]?.state).toBe('live'))
  const session = alice.session
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await server.stop(signal)
    await eventually(() => expect([alice.state, view.stale]).toEqual(['interrupted', true]))
    expect(view.entries.length).toBe(1)
    await startServer()
    await eventually(() => expect([alice.state, view.stale, view.entries[0]?.state]).toEqual(['live', false, 'live']))
  }
  expect([alice.session, ends]).toEqual([session, []])
})

test('a second device takes over', async () => {
  const first = newAnchor('alice')
  await first.start({ title: 'first' })
  const second = newAnchor('alice')
  await second.start({ title: 'second' })
  await eventually(() => expect([first.state, first.ending?.reason]).toEqual(['ended', 'taken_over']))
  expect(second.state).toBe('live')
})

test('a reload of the app resumes the broadcast', async () => {
  const storage = memoryStorage()
  const before = new Anchor({ url: server.url, token: server.newToken('anchor', 'alice'), WebSocket, storage })
  await before.start({ title: 'x' })
  const session = before.session
  before.close()
  const after = new Anchor({ url: server.url, token: server.newToken('anchor', 'alice'), WebSocket, storage })
  clients.push(after)
  expect(await after.resume()).toBe(true)
  expect(after.session).toBe(session)
})

test('the server rejects bad tokens and bad requests', async () => {
  const alice = new Anchor({ url: server.url, token: 'no token', WebSocket, storage: null })
  clients.push(alice)
  await expect(alice.start({ title: 'x' })).rejects.toMatchObject({ code: 'unauthorized' })
  const view = newViewer().subscribe({ list: 'nowhere' })
  const error = await new Promise(resolve => view.on('rejected', resolve))
  expect(error).toMatchObject({ code: 'bad_request' })
  await expect(newAnchor('al ice').start({ title: 'x' })).rejects.toMatchObject({ code: 'bad_request' })
  await expect(newViewer().listStreams({ limit: 0 })).rejects.toMatchObject({ code: 'bad_request' })
})
