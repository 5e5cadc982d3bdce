import { vi } from 'vitest'
import type { Message } from '../src/wire.js'

/** A WebSocket without a network. Tests act as its server. */
export class FakeSocket {
  /** All sockets that clients opened, oldest first. */
  static all: FakeSocket[] = []
  static get last(): FakeSocket { return FakeSocket.all.at(-1)! }

  static reset(): void { FakeSocket.all = [] }

  sent: Message[] = []
  closed?: { code?: number }
  onopen: (() => void) | null = null
  onmessage: ((e: { data: string }) => void) | null = null
  onclose: ((e: { code: number }) => void) | null = null
  onerror: (() => void) | null = null

  constructor(readonly url: string, readonly protocol: string) {
    FakeSocket.all.push(this)
  }

  send(text: string): void { this.sent.push(JSON.parse(text) as Message) }
  close(code?: number): void { this.closed = { code } }

  /** Delivers messages to the client. */
  async deliver(...messages: Message[]): Promise<void> {
    for (const m of messages) {
      this.onmessage?.({ data: JSON.stringify(m) })
      await flushPromises()
    }
  }

  async open(): Promise<void> {
    this.onopen?.()
    await flushPromises()
  }

  /** Opens the socket and delivers a welcome. */
  async welcome(members: object = {}): Promise<void> {
    await this.open()
    await this.deliver({
      type: 'welcome', node: 'n1', build: 'v0', connection: 'c', server_time: Date.now(),
      heartbeat_ms: 60_000, missed_limit: 3, idle_ms: 25_000, ...members,
    })
  }

  /** Closes the socket from the server's side. */
  async drop(code = 1006): Promise<void> {
    this.onclose?.({ code })
    await flushPromises()
  }

  /** Answers the last request of a type. */
  async answer(type: string, m: Message): Promise<void> {
    const request = this.sent.findLast(s => s.type === type)
    if (!request) throw new Error(`the client sent no ${type}: ${JSON.stringify(this.sent)}`)
    await this.deliver({ id: request.id, ...m })
  }

  sentTypes(): string[] { return this.sent.map(m => m.type) }
}

/** Runs the promise callbacks that are pending. */
export async function flushPromises(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

/** Advances the fake timers. */
export async function advanceTimers(ms: number): Promise<void> { await vi.advanceTimersByTimeAsync(ms) }

/** Client options with fake sockets; `random` returns the middle. */
export const options = { url: 'https://live.example.com', WebSocket: FakeSocket as unknown as new (url: string, protocol: string) => WebSocket, random: () => 0.5 }

/** A storage in memory, with the map of its items. */
export function memoryStorage() {
  const items = new Map<string, string>()
  return {
    getItem: (k: string) => items.get(k) ?? null, setItem: (k: string, v: string) => void items.set(k, v), removeItem: (k: string) => void items.delete(k), items,
  }
}

/** The server's answer to a start or resume. */
export const started = {
  type: 'started', session: 'secret', stream: { code: '8888_a', anchor: 'a', title: 'x', state: 'starting', started_at: 1, viewers: 0, likes: 0 },
  push: { rtmp: 'rtmp://x', server: 's', key: 'k', expires_at: 9 },
}
