// The clients against the scripts that clients in other languages are tested with.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { WebSocket as NodeSocket } from 'ws'
import type { Message } from '../src/wire.js'
import { Anchor, Viewer, type View, type ViewerOptions } from '../src/index.js'

const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')

const players: ChildProcess[] = []
afterAll(() => { for (const player of players) player.kill('SIGKILL') })

interface Played { code: number | null, verdicts: string[] }

/** Plays a script, and calls back with what the client's user is to do, and to be shown. */
async function play(script: string, on: (word: string, rest: string, at: { url: string, token: string }) => void): Promise<Played> {
  const player = spawn(binary, ['conformance', script, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  players.push(player)
  const exited = new Promise<number | null>(resolve => player.once('exit', resolve))
  const at = { url: '', token: '' }
  const verdicts: string[] = []
  for await (const line of createInterface(player.stdout!)) {
    const [, word, rest] = /^(\S+)\s+(.*)$/.exec(line)!
    if (word === 'url') at.url = rest!.replace(/\/v1\/.*/, '')
    else if (word === 'token') at.token = rest!
    else if (word === 'do' || word === 'show') on(word, rest!.slice(0, rest!.indexOf(':')), at)
    else verdicts.push(line)
  }
  return { code: await exited, verdicts }
}

type Socket = NonNullable<ViewerOptions['WebSocket']>

/** Plays the anchor's script to the SDK. */
async function playAnchor(WebSocket: Socket): Promise<Played> {
  const kept = new Map<string, string>()
  const storage = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) }
  let anchor: Anchor | undefined
  const played = await play('anchor', (_, what, at) => {
    const fresh = () => new Anchor({ ...at, WebSocket, storage })
    switch (what) {
      case 'start':
        anchor ??= fresh()
        anchor.start({ title: 'conformance' }).catch(() => {}) // the script says whether that is right
        break
      case 'stop':
        anchor!.stop().catch(() => {})
        break
      case 'reload':
        anchor!.close()
        anchor = fresh()
        anchor.resume().catch(() => {})
    }
  })
  anchor?.close()
  return played
}

/** Plays the viewer's script to the SDK. What it does not show in time is a verdict, too. */
async function playViewer(WebSocket: Socket): Promise<Played> {
  let viewer: Viewer | undefined
  let view: View | undefined
  const shown: Promise<string | undefined>[] = []
  const played = await play('viewer', (word, what, at) => {
    if (word === 'show') {
      const are = () => view!.entries.map(e => e.code).join(' ')
      const right = vi.waitFor(() => expect(are()).toBe(what), { timeout: 400, interval: 5 })
      shown.push(right.then(() => undefined, () => `shows ${are()}, not ${what}`))
    } else if (what === 'subscribe') {
      viewer = new Viewer({ ...at, WebSocket, transport: 'socket' })
      view = viewer.subscribe({ sort: 'started' })
    } else {
      viewer!.watch('8888_a')
    }
  })
  viewer?.close()
  played.verdicts.push(...(await Promise.all(shown)).filter(s => s !== undefined))
  return played
}

const Plain = NodeSocket as unknown as Socket

/** A socket whose client misbehaves: it hears what `hears` makes of a message, and says more. */
function broken(hears: (m: Message, say: (m: Message) => void) => Message): Socket {
  return class extends NodeSocket {
    override emit(name: string | symbol, ...args: unknown[]): boolean {
      if (name !== 'message') return super.emit(name, ...args)
      const m = hears(JSON.parse(String(args[0])) as Message, what => this.send(JSON.stringify(what)))
      return super.emit(name, Buffer.from(JSON.stringify(m)), args[1])
    }
  } as unknown as Socket
}

for (const [script, run] of [['anchor', playAnchor], ['viewer', playViewer]] as const) {
  test.concurrent(`the ${script}'s script is passed`, async () => {
    const { code, verdicts } = await run(Plain)
    expect(verdicts.filter(v => !v.startsWith('ok '))).toEqual([expect.stringMatching(/^all \d+ steps passed$/)])
    expect(code).toBe(0)
  }, 120_000)
}

test.concurrent('an anchor that beats after the end fails', async () => {
  const { code, verdicts } = await playAnchor(broken((m, say) => {
    if (m.type === 'ended') setTimeout(() => say({ type: 'beat', n: 99 }), 0)
    return m
  }))
  expect([code, verdicts.find(v => v.startsWith('failed'))]).toEqual([1, expect.stringMatching(/stays open.*99/)])
}, 120_000)

test.concurrent('a viewer that applies diffs out of order fails', async () => {
  let pos: unknown
  const { code, verdicts } = await playViewer(broken(m => {
    if (m.type !== 'diff' && m.type !== 'snapshot') return m
    const heard = { ...m, prev: pos }
    pos = m.pos
    return heard
  }))
  expect([code, verdicts.find(v => v.startsWith('failed'))]).toEqual([1, expect.stringContaining('does not follow')])
}, 120_000)
