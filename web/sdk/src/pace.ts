import type { Message } from './wire.js'

/** The server takes 40 messages at once, and then 20 a second, on one socket. It passes over the rest: less than that, since they come as the network likes. */
const burst = 32
const perSecond = 16

/** Sends on one socket, in order; what the server would find too fast waits. */
export class Pace {
  #credit = burst
  #at = Date.now()
  #waiting: Message[] = []
  #timer?: ReturnType<typeof setTimeout>

  constructor(readonly socket: WebSocket) {}

  send(m: Message): void {
    this.#waiting.push(m)
    if (this.#timer === undefined) this.#flush()
  }

  /** Forgets what waits. */
  close(): void {
    clearTimeout(this.#timer)
    this.#waiting = []
  }

  #flush(): void {
    this.#timer = undefined
    const now = Date.now()
    this.#credit = Math.min(burst, this.#credit + Math.max(0, now - this.#at) * perSecond / 1_000)
    this.#at = now
    for (; this.#credit >= 1 && this.#waiting.length; this.#credit--) this.socket.send(JSON.stringify(this.#waiting.shift()))
    if (this.#waiting.length) this.#timer = setTimeout(() => this.#flush(), 1_000 / perSecond)
  }
}
