import type { Message } from './wire.js'

// The server accepts 40 messages at once and 20 a second on one socket, and skips the
// rest. The client stays below that, because the network may bunch messages.
const burst = 32
const perSecond = 16

/** Sends messages on one socket, in order and within the server's rate limit. */
export class SendQueue {
  #credit = burst
  #refilledAt = Date.now()
  #waiting: Message[] = []
  #timer?: ReturnType<typeof setTimeout>

  constructor(readonly socket: WebSocket) {}

  send(m: Message): void {
    this.#waiting.push(m)
    if (this.#timer === undefined) this.#flush()
  }

  /** Drops the messages that wait. */
  close(): void {
    clearTimeout(this.#timer)
    this.#waiting = []
  }

  #flush(): void {
    this.#timer = undefined
    const now = Date.now()
    this.#credit = Math.min(burst, this.#credit + Math.max(0, now - this.#refilledAt) * perSecond / 1_000)
    this.#refilledAt = now
    for (; this.#credit >= 1 && this.#waiting.length; this.#credit--) this.socket.send(JSON.stringify(this.#waiting.shift()))
    if (this.#waiting.length) this.#timer = setTimeout(() => this.#flush(), 1_000 / perSecond)
  }
}
