// The clients against the server as it is: its binary, real sockets, real time.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { WebSocket as NodeSocket } from 'ws'
import { Anchor, Viewer, type ViewerOptions } from '../src/index.js'

const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')
const secret = 'for-the-tests-of-the-clients-alone'
const WebSocket = NodeSocket as unknown as ViewerOptions['WebSocket']

let server: ChildProcess
let dir: string
let url: string
let open: { close(): void }[] = []

/** Starts the server, at the port of before if there was one. */
async function start(port = '0'): Promise<void> {
  server = spawn(binary, [
    '--listen', `127.0.0.1:${port}`, '--ops.listen', '127.0.0.1:0', '--data', join(dir, 'data'), '--log.format', 'json',
    '--heartbeat.interval', '1s', '--drain', '1s', '--viewer.anonymous', 'true',
  ], { cwd: dir, env: { ...process.env, ONAIR_AUTH_SECRET: secret }, stdio: ['ignore', 'ignore', 'pipe'] })
  for await (const line of createInterface(server.stderr!)) {
    const said = line.startsWith('{') ? JSON.parse(line) as { message?: string, address?: string } : {}
    if (said.message === 'serving') {
      url = `http://${said.address}`
      return void server.stderr!.resume()
    }
  }
  throw new Error('the server does not start')
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise(resolve => server.once('exit', resolve))
  server.kill(signal)
  await ended
}

function token(role: string, sub: string): string {
  return execFileSync(binary, ['token', '--role', role, '--sub', sub], { cwd: dir, env: { ...process.env, ONAIR_AUTH_SECRET: secret } }).toString().trim()
}

function anchor(sub: string): Anchor {
  const a = new Anchor({ url, token: token('anchor', sub), WebSocket, storage: null })
  open.push(a)
  return a
}

function viewer(more: ViewerOptions = {}): Viewer {
  const v = new Viewer({ url, WebSocket, ...more })
  open.push(v)
  return v
}

const within = (what: () => void) => vi.waitFor(what, { timeout: 20_000, interval: 20 })

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'onair-'))
  await start()
})

afterEach(async () => {
  for (const client of open) client.close()
  open = []
  if (server.exitCode === null) await stop('SIGKILL')
  rmSync(dir, { recursive: true })
})

for (const transport of ['socket', 'events'] as const) {
  test(`a broadcast from its start to its end, seen by ${transport}`, async () => {
    const view = viewer({ transport }).subscribe({ sort: 'started', play: ['flv'] })
    await within(() => expect(view.stale).toBe(false))
    const alice = anchor('alice')
    const stream = await alice.start({ title: 'Hello', tags: ['game'] })
    expect(alice.push!.rtmp).toContain('/live/8888_alice?txSecret=')
    await within(() => expect(view.get(stream.code)).toMatchObject({ title: 'Hello', state: 'live', tags: ['game'], play: { flv: expect.stringContaining('8888_alice.flv?') } }))
    await alice.update({ title: 'New', tags: null })
    await within(() => expect(view.get(stream.code)).toMatchObject({ title: 'New', state: 'live' }))
    expect(view.get(stream.code)!.tags).toBeUndefined()
    const watching = viewer({ transport })
    const watch = watching.watch(stream.code)
    await within(() => expect(watch.entry?.play?.flv).toContain('txSecret='))
    watching.like(stream.code, 3)
    await within(() => expect(view.get(stream.code)).toMatchObject({ viewers: 1, likes: 3 }))
    expect((await watching.list()).streams).toMatchObject([{ code: stream.code }])
    expect(await watching.recordings()).toEqual({ recordings: [] })
    expect(await alice.stop()).toMatchObject({ peak_viewers: 1, likes: 3 })
    await within(() => expect([view.entries.length, watch.ended]).toEqual([0, true]))
  })
}

test('three missed beats', async () => {
  const view = viewer().subscribe()
  const alice = anchor('alice')
  await alice.start({ title: 'x' })
  await within(() => expect(view.entries[0]?.state).toBe('live'))
  alice.close()
  await within(() => expect(view.entries[0]).toMatchObject({ state: 'away', away: 'missed_beat' }))
  await within(() => expect(view.entries.length).toBe(0))
})

test('the server starts again, softly and hard: nobody ends, and nobody reloads', async () => {
  const view = viewer().subscribe()
  const alice = anchor('alice')
  const ends: unknown[] = []
  alice.on('ended', e => ends.push(e))
  await alice.start({ title: 'x' })
  await within(() => expect(view.entries[0]?.state).toBe('live'))
  const session = alice.session
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await stop(signal)
    await within(() => expect([alice.state, view.stale]).toEqual(['interrupted', true]))
    expect(view.entries.length).toBe(1)
    await start(new URL(url).port)
    await within(() => expect([alice.state, view.stale, view.entries[0]?.state]).toEqual(['live', false, 'live']))
  }
  expect([alice.session, ends]).toEqual([session, []])
})

test('two devices: the second takes over', async () => {
  const first = anchor('alice')
  await first.start({ title: 'first' })
  const second = anchor('alice')
  await second.start({ title: 'second' })
  await within(() => expect([first.state, first.ending?.reason]).toEqual(['ended', 'taken_over']))
  expect(second.state).toBe('live')
})

test('a reload of the app keeps the broadcast', async () => {
  const kept = new Map<string, string>()
  const storage = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) }
  const before = new Anchor({ url, token: token('anchor', 'alice'), WebSocket, storage })
  await before.start({ title: 'x' })
  const session = before.session
  before.close()
  const after = new Anchor({ url, token: token('anchor', 'alice'), WebSocket, storage })
  open.push(after)
  expect(await after.resume()).toBe(true)
  expect(after.session).toBe(session)
})

test('what is refused', async () => {
  const alice = new Anchor({ url, token: 'no token', WebSocket, storage: null })
  open.push(alice)
  await expect(alice.start({ title: 'x' })).rejects.toMatchObject({ code: 'unauthorized' })
  const nobody = viewer().subscribe({ list: 'nowhere' })
  const why = await new Promise(resolve => nobody.on('refused', resolve))
  expect(why).toMatchObject({ code: 'bad_request' })
  await expect(anchor('al ice').start({ title: 'x' })).rejects.toMatchObject({ code: 'bad_request' })
  await expect(viewer().list({ limit: 0 })).rejects.toMatchObject({ code: 'bad_request' })
})
