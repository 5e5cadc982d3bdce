// The clients against `onair conformance`, which also tests clients in other languages.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
import { WebSocket as NodeSocket } from 'ws'
import type { Message } from '../src/wire.js'
import { Anchor, Viewer, type View, type ViewerOptions } from '../src/index.js'
import { memoryStorage } from './fakesocket.js'
import { binary } from './testserver.js'

const processes: ChildProcess[] = []
afterAll(() => { for (const process of processes) process.kill('SIGKILL') })

interface Result { exitCode: number | null, verdicts: string[] }

/** Runs a script. `onStep` receives each action that the app has to take (`do`) and each list that it has to show (`show`). */
async function runScript(script: string, onStep: (kind: string, step: string, server: { url: string, token: string }) => void): Promise<Result> {
  const process = spawn(binary, ['conformance', script, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  processes.push(process)
  const exited = new Promise<number | null>(resolve => process.once('exit', resolve))
  const server = { url: '', token: '' }
  const verdicts: string[] = []
  for await (const line of createInterface(process.stdout!)) {
    const [, kind, text] = /^(\S+)\s+(.*)$/.exec(line)!
    if (kind === 'url') server.url = text!.replace(/\/v1\/.*/, '')
    else if (kind === 'token') server.token = text!
    else if (kind === 'do' || kind === 'show') onStep(kind, text!.slice(0, text!.indexOf(':')), server)
    else verdicts.push(line)
  }
  return { exitCode: await exited, verdicts }
}

type SocketClass = NonNullable<ViewerOptions['WebSocket']>

/** Runs the anchor's script with the SDK. */
async function runAnchorScript(WebSocket: SocketClass): Promise<Result> {
  const storage = memoryStorage()
  let anchor: Anchor | undefined
  const result = await runScript('anchor', (_, action, server) => {
    const newAnchor = () => new Anchor({ ...server, WebSocket, storage })
    switch (action) {
      case 'start':
        anchor ??= newAnchor()
        anchor.start({ title: 'conformance' }).catch(() => {}) // the script judges failures
        break
      case 'stop':
        anchor!.stop().catch(() => {})
        break
      case 'reload':
        anchor!.close()
        anchor = newAnchor()
        anchor.resume().catch(() => {})
    }
  })
  anchor?.close()
  return result
}

/** Runs the viewer's script with the SDK. A list that is not shown, or not in its turn, adds a verdict. */
async function runViewerScript(WebSocket: SocketClass): Promise<Result> {
  let viewer: Viewer | undefined
  let view: View | undefined
  const expected: string[] = []
  const shown: string[] = [] // each list that the view has shown; on a busy machine the script may be ahead of its output
  const result = await runScript('viewer', (kind, step, server) => {
    if (kind === 'show') {
      expected.push(step)
    } else if (step === 'subscribe') {
      viewer = new Viewer({ ...server, WebSocket, transport: 'socket' })
      view = viewer.subscribe({ sort: 'started' })
      view.on('change', () => shown.push(view!.entries.map(e => e.code).join(' ')))
    } else {
      viewer!.watch('8888_a')
    }
  })
  viewer?.close()
  let next = 0
  for (const list of expected) {
    const at = shown.indexOf(list, next)
    if (at < 0) result.verdicts.push(`does not show ${list} after ${shown.slice(0, next + 1).join(', ')}, but ${shown.slice(next).join(', ')}`)
    else next = at
  }
  if (shown.at(-1) !== expected.at(-1)) result.verdicts.push(`shows ${shown.at(-1)} at the end, not ${expected.at(-1)}`)
  return result
}

/** A socket class that changes each message before its client receives it. `change` can also send messages. */
function faultySocket(change: (m: Message, send: (m: Message) => void) => Message): SocketClass {
  return class extends NodeSocket {
    override emit(name: string | symbol, ...args: unknown[]): boolean {
      if (name !== 'message') return super.emit(name, ...args)
      const m = change(JSON.parse(String(args[0])) as Message, sent => this.send(JSON.stringify(sent)))
      return super.emit(name, Buffer.from(JSON.stringify(m)), args[1])
    }
  } as unknown as SocketClass
}

for (const [script, run] of [['anchor', runAnchorScript], ['viewer', runViewerScript]] as const) {
  test.concurrent(`the SDK passes the script for ${script}s`, async () => {
    const { exitCode, verdicts } = await run(NodeSocket as unknown as SocketClass)
    expect(verdicts.filter(v => !v.startsWith('ok '))).toEqual([expect.stringMatching(/^all \d+ steps passed$/)])
    expect(exitCode).toBe(0)
  }, 120_000)
}

test.concurrent('an anchor that beats after the end fails', async () => {
  const { exitCode, verdicts } = await runAnchorScript(faultySocket((m, send) => {
    if (m.type === 'ended') setTimeout(() => send({ type: 'beat', n: 99 }), 0)
    return m
  }))
  expect([exitCode, verdicts.find(v => v.startsWith('failed'))]).toEqual([1, expect.stringMatching(/stays open.*99/)])
}, 120_000)

test.concurrent('a viewer that applies diffs from other positions fails', async () => {
  let pos: unknown
  const { exitCode, verdicts } = await runViewerScript(faultySocket(m => {
    if (m.type !== 'diff' && m.type !== 'snapshot') return m
    const changed = { ...m, prev: pos }
    pos = m.pos
    return changed
  }))
  expect([exitCode, verdicts.find(v => v.startsWith('failed'))]).toEqual([1, expect.stringContaining('a diff from another position is not applied')])
}, 120_000)
