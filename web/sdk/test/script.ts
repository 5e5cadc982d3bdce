import { vi } from 'vitest'
import type { Message } from '../src/wire.js'

/** The far end of each socket that a client opens, oldest first. */
export class Scripted {
  static all: Scripted[] = []
  static get last(): Scripted { return Scripted.all.at(-1)! }

  static reset(): void { Scripted.all = [] }

  sent: Message[] = []
  closed?: { code?: number }
  onopen: (() => void) | null = null
  onmessage: ((e: { data: string }) => void) | null = null
  onclose: ((e: { code: number }) => void) | null = null
  onerror: (() => void) | null = null

  constructor(readonly url: string, readonly protocol: string) {
    Scripted.all.push(this)
  }

  send(text: string): void { this.sent.push(JSON.parse(text) as Message) }
  close(code?: number): void { this.closed = { code } }

  /** Says something to the client. */
  async says(...messages: Message[]): Promise<void> {
    for (const m of messages) {
      this.onmessage?.({ data: JSON.stringify(m) })
      await settle()
    }
  }

  async opens(): Promise<void> {
    this.onopen?.()
    await settle()
  }

  async welcomes(more: object = {}): Promise<void> {
    await this.opens()
    await this.says({
      type: 'welcome', node: 'n1', build: 'v0', connection: 'c', server_time: Date.now(),
      heartbeat_ms: 60_000, missed_limit: 3, idle_ms: 25_000, ...more,
    })
  }

  /** Drops the connection. */
  async drops(code = 1006): Promise<void> {
    this.onclose?.({ code })
    await settle()
  }

  /** Answers the last request of a type. */
  async answers(type: string, m: Message): Promise<void> {
    const asked = this.sent.findLast(s => s.type === type)
    if (!asked) throw new Error(`nobody has asked for ${type}: ${JSON.stringify(this.sent)}`)
    await this.says({ id: asked.id, ...m })
  }

  types(): string[] { return this.sent.map(m => m.type) }
}

/** Lets promises run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

/** Lets time pass. */
export async function pass(ms: number): Promise<void> { await vi.advanceTimersByTimeAsync(ms) }

/** Options of a client whose sockets are scripted; random is in the middle. */
export const options = { url: 'https://live.example.com', WebSocket: Scripted as unknown as new (url: string, protocol: string) => WebSocket, random: () => 0.5 }
