import { backoffDelay, stableAfter } from './backoff.js'
import { OnairError } from './errors.js'
import { EventParser } from './eventparser.js'
import { bearerHeader, currentToken, httpURL, maxFreshTokens, queryString, responseError } from './http.js'
import type { ViewerOptions } from './options.js'
import type { ConnectionState } from './reconnectingsocket.js'
import type { Subscription } from './subscription.js'
import type { Message } from './wire.js'

/** The server sends something every 25 s; after 2.5 times that the connection is dead. */
const silenceTimeout = 62_500

/** One subscription over Server-Sent Events. It requests the stream again whenever it ends. */
export class EventStream {
  readonly #abort = new AbortController()
  #receivedAt = Date.now()
  #notBefore = 0
  #endWait?: () => void

  constructor(readonly subscription: Subscription, readonly options: ViewerOptions, readonly onState: (state: ConnectionState) => void) {}

  get #random(): () => number { return this.options.random ?? Math.random }

  /** Whether a request is under way, and the server has been silent for too long. */
  get hasTimedOut(): boolean { return !this.#endWait && Date.now() - this.#receivedAt >= silenceTimeout }

  close(): void {
    this.#abort.abort()
    this.#endWait?.()
  }

  /** Shortens the wait before the next request, if there is one. It does not end before the server allows. */
  shortenWait(): void {
    if (this.#endWait) setTimeout(this.#endWait, Math.max(this.#notBefore - Date.now(), this.#random() * 500))
  }

  /** Returns when the stream is closed. Throws an OnairError that is not temporary. */
  async run(): Promise<void> {
    const { signal } = this.#abort
    let refusedTokens = 0
    for (let attempt = 0; !signal.aborted; attempt++) {
      let minDelay = 0
      const startedAt = Date.now()
      try {
        minDelay = await this.#receiveEvents()
        refusedTokens = 0
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof OnairError) {
          const mayRefreshToken = error.code === 'unauthorized' && typeof this.options.token === 'function' && ++refusedTokens <= maxFreshTokens
          if (!mayRefreshToken && !error.isTemporary) throw error
          minDelay = error.retryAfterMs ?? 0
        }
      }
      if (signal.aborted) return
      if (Date.now() - startedAt > stableAfter) attempt = refusedTokens = 0
      this.onState('waiting')
      this.#notBefore = Date.now() + minDelay
      await this.#wait(Math.max(minDelay, backoffDelay(attempt, this.#random)))
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer)
        if (this.#endWait === end) this.#endWait = undefined // else a wake was late, and the next wait has begun
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#endWait = end
    })
  }

  /** Receives one response to its end. Returns the least delay before the next request, in milliseconds. */
  async #receiveEvents(): Promise<number> {
    const headers = { Accept: 'text/event-stream', ...bearerHeader(await currentToken(this.options.token)) }
    const request = new AbortController()
    const abort = () => request.abort()
    this.#abort.signal.addEventListener('abort', abort)
    let watchdog: ReturnType<typeof setTimeout> | undefined
    const restartWatchdog = () => {
      this.#receivedAt = Date.now()
      clearTimeout(watchdog)
      watchdog = setTimeout(abort, silenceTimeout)
    }
    restartWatchdog()
    try {
      const url = httpURL(this.options.url, '/v1/streams/events?' + queryString(this.subscription.eventsQuery()))
      const response = await (this.options.fetch ?? fetch)(url, { signal: request.signal, headers })
      if (!response.ok || !response.body) throw await responseError(response)
      this.onState('open')
      return await this.#applyEvents(response.body.getReader(), restartWatchdog)
    } finally {
      clearTimeout(watchdog)
      this.#abort.signal.removeEventListener('abort', abort)
      request.abort()
    }
  }

  async #applyEvents(reader: ReadableStreamDefaultReader<Uint8Array>, onChunk: () => void): Promise<number> {
    const decoder = new TextDecoder()
    const parser = new EventParser()
    let drainDelay = 0
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return drainDelay
      onChunk()
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        const m = JSON.parse(event.data) as Message
        if (event.name === 'drain') drainDelay = this.#random() * Number(m.reconnect_in_ms) // the server still serves this response
        if (!this.subscription.applyMessage(m)) return 0
        if (!this.subscription.isActive) this.close()
      }
    }
  }
}
