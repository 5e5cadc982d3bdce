/** Likes wait for this long, so that many become one message. */
const collectTime = 300
/** Likes that could not be sent, or were too many for one message, wait for this long. */
const retryTime = 1_000
const maxPerMessage = 100

/** Collects likes by stream and sends them together. */
export class LikeBuffer {
  readonly #counts = new Map<string, number>()
  #timer?: ReturnType<typeof setTimeout>

  /** `send` returns false when likes cannot be sent now. They are sent later, while `canRetry`. */
  constructor(readonly send: (code: string, n: number) => boolean, readonly canRetry: () => boolean) {}

  add(code: string, n: number): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + n)
    this.#timer ??= setTimeout(() => this.#flush(), collectTime)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #flush(): void {
    this.#timer = undefined
    for (const [code, n] of this.#counts) {
      const sent = Math.min(n, maxPerMessage)
      if (!this.send(code, sent)) continue
      if (n > sent) this.#counts.set(code, n - sent)
      else this.#counts.delete(code)
    }
    if (this.#counts.size && this.canRetry()) this.#timer = setTimeout(() => this.#flush(), retryTime)
  }
}
