import { backoffDelay, maxDelay, stableAfter } from './backoff.js'
import { fatalCloseError, isDrainCode, tokenRefusedCode, tryAgainLaterCode } from './closecodes.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { currentToken, httpURL, maxFreshTokens } from './http.js'
import type { ClientOptions } from './options.js'
import { PendingRequests } from './pendingrequests.js'
import { SendQueue } from './sendqueue.js'
import type { Message, Welcome } from './wire.js'

/**
 * The state of a client's connection:
 *
 * - `idle`: `connect` was not called yet.
 * - `connecting`: the server has not sent its welcome yet.
 * - `open`: the server has sent its welcome.
 * - `waiting`: the connection was lost; the client connects again by itself.
 * - `stopped`: the client was closed, or the server refused it for good. Only `connect`
 *   leaves this state.
 */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped'

interface SocketEvents {
  state: ConnectionState
  welcome: Welcome
  message: Message
}

/** One WebSocket, and what the server has sent on it. Times are Unix milliseconds. */
interface Connection {
  socket: WebSocket
  sendQueue: SendQueue
  /** When the last message came; at first, when the connection was begun. */
  receivedAt: number
  /** 0 before the welcome. */
  welcomedAt: number
  /** The lower bound of the next wait, from an `error` message. */
  retryAfterMs: number
  /** The window of the reconnect, from a `drain` message. */
  drainMs?: number
}

const welcomeTimeout = 15_000
/** The server answers within ten seconds, if only with an error. */
const answerTimeout = 15_000
/** The backoff starts with this attempt when the server has no room. */
const firstAttemptWhenFull = 3
/** A connection is dead after so many idle intervals without a message. */
const silenceFactor = 2.5

/** A WebSocket to one path of the server that reconnects when it is lost. */
export class ReconnectingSocket extends Emitter<SocketEvents> {
  state: ConnectionState = 'idle'
  /** Why it is stopped. */
  error?: OnairError
  /** Connections in a row that the server did not welcome. */
  failures = 0
  /** The bound of the delays before attempts, in milliseconds. */
  maxDelay = maxDelay
  /** The token that was last returned by the option `token`. */
  token?: string

  #connection?: Connection
  readonly #pending = new PendingRequests()
  #timer?: ReturnType<typeof setTimeout>
  #watchdog?: ReturnType<typeof setTimeout>
  #idleMs = 25_000
  #attempt = 0
  #refusedTokens = 0
  #notBefore = 0

  /** `detectsSilence`: the server sends something every `idle_ms` on this path, so silence means a dead connection. */
  constructor(readonly path: string, readonly options: ClientOptions, readonly detectsSilence: boolean) {
    super()
  }

  get random(): () => number { return this.options.random ?? Math.random }

  /** Connects, unless it is connected or connecting. */
  connect(): void {
    if (this.state === 'connecting' || this.state === 'open') return
    clearTimeout(this.#timer)
    this.error = undefined
    this.#setState('connecting')
    const Socket = this.options.WebSocket ?? globalThis.WebSocket
    if (!Socket) return this.close(new OnairError('stopped', 'There is no global WebSocket: pass one in the options.'))
    let socket: WebSocket
    try {
      socket = new Socket(httpURL(this.options.url, this.path).replace(/^http/, 'ws'), 'onair.v1')
    } catch (error) {
      return this.close(new OnairError('stopped', String(error)))
    }
    const connection: Connection = { socket, sendQueue: new SendQueue(socket), receivedAt: Date.now(), welcomedAt: 0, retryAfterMs: 0 }
    this.#connection = connection
    this.#checkTimeouts()
    socket.onopen = () => void this.#authenticate(connection)
    socket.onmessage = event => { if (connection === this.#connection) this.#handleData(connection, event.data) }
    socket.onclose = event => { if (connection === this.#connection) this.#handleClose(connection, event.code) }
    socket.onerror = () => {} // the close event follows
  }

  /** Closes the connection for good. */
  close(error = new OnairError('stopped', 'The client was closed.')): void {
    this.error = error
    this.#dropConnection()
    this.#setState('stopped')
  }

  /** Replaces the connection: at once if it was stable, else after the backoff. */
  reconnect(): void {
    if (this.state !== 'open' && this.state !== 'connecting') return
    if (!this.#resetBackoffIfStable()) return this.#reconnectAfterBackoff()
    this.#attempt++
    this.#reconnectAfter(0)
  }

  /** Reconnects soon, or checks the connection: timers may have been suspended, or the network has changed. */
  wake(): void {
    if (this.state === 'waiting') this.#reconnectAfter(Math.max(this.#notBefore - Date.now(), this.random() * 500))
    else if (this.state === 'open') this.#checkTimeouts()
  }

  /** Sends a message that has no answer. Returns false, and sends nothing, when the connection is not open. */
  send(m: Message): boolean {
    if (this.state !== 'open') return false
    this.#connection!.sendQueue.send(m)
    return true
  }

  /** Sends a request and returns its answer. */
  request(m: Message): Promise<Message> {
    if (this.state !== 'open') return Promise.reject(this.error ?? new OnairError('closed', 'The connection is not open.'))
    return this.#pending.add(id => {
      this.#connection!.sendQueue.send({ ...m, id })
      this.#checkTimeouts()
    })
  }

  #setState(state: ConnectionState): void {
    if (state === this.state) return
    this.state = state
    this.emit('state', state)
  }

  async #authenticate(connection: Connection, failures = 0): Promise<void> {
    try {
      this.token = await currentToken(this.options.token)
    } catch {
      if (connection !== this.#connection) return
      if (this.state !== 'open') return this.#reconnectAfterBackoff()
      // The server still accepts the token of before.
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.#authenticate(connection, failures + 1), backoffDelay(failures, this.random))
      return
    }
    if (this.token !== undefined && connection === this.#connection) connection.sendQueue.send({ type: 'auth', token: this.token })
  }

  #handleData(connection: Connection, data: unknown): void {
    connection.receivedAt = Date.now()
    let m: Message
    try {
      m = JSON.parse(String(data)) as Message
      if (typeof m?.type !== 'string') throw new TypeError('the message has no type')
    } catch {
      return this.reconnect()
    }
    const request = this.#pending.remove(m.id)
    if (!request) return this.#handleMessage(connection, m)
    if (m.type === 'error') return request.reject(OnairError.fromMessage(m))
    this.emit('message', m) // listeners apply an answer before its request resolves
    request.resolve(m)
  }

  #handleMessage(connection: Connection, m: Message): void {
    switch (m.type) {
      case 'welcome': {
        const welcome = m as unknown as Welcome
        this.#idleMs = welcome.idle_ms
        connection.welcomedAt = Date.now()
        this.failures = 0
        this.#checkTimeouts()
        this.#setState('open')
        return this.emit('welcome', welcome)
      }
      case 'authenticated': // on a socket that was welcomed without a token
        this.#refusedTokens = 0
        break
      case 'token_expiring':
        return void this.#authenticate(connection)
      case 'drain':
        connection.drainMs = Number(m.reconnect_in_ms)
        break
      case 'error':
        connection.retryAfterMs = Number(m.retry_after_ms ?? 0)
    }
    this.emit('message', m)
  }

  #handleClose(connection: Connection, code: number): void {
    if (!connection.welcomedAt) this.failures++
    this.#resetBackoffIfStable()
    if (code === tokenRefusedCode) {
      // The token may have expired on its way to the server.
      if (typeof this.options.token !== 'function' || ++this.#refusedTokens > maxFreshTokens) {
        return this.close(new OnairError('unauthorized', 'The token was refused.'))
      }
      return this.#reconnectAfterBackoff()
    }
    const error = fatalCloseError(code)
    if (error) return this.close(error)
    if (isDrainCode(code)) {
      this.#attempt = 0
      const delay = this.random() * (connection.drainMs ?? 1_000)
      return this.#reconnectAfter(delay, connection.drainMs === undefined ? 0 : delay)
    }
    if (code === tryAgainLaterCode) this.#attempt = Math.max(this.#attempt, firstAttemptWhenFull)
    this.#reconnectAfterBackoff(connection.retryAfterMs)
  }

  /** Resets the backoff if the present connection was stable. Returns whether it was. */
  #resetBackoffIfStable(): boolean {
    const welcomedAt = this.#connection?.welcomedAt ?? 0
    const wasStable = welcomedAt > 0 && Date.now() - welcomedAt >= stableAfter
    if (wasStable) this.#attempt = this.#refusedTokens = 0
    return wasStable
  }

  #reconnectAfterBackoff(minDelay = 0): void {
    this.#reconnectAfter(Math.max(minDelay, backoffDelay(this.#attempt++, this.random, this.maxDelay)), minDelay)
  }

  /** Drops the connection and connects after a delay. A wake shortens the delay to `minDelay` at most. */
  #reconnectAfter(delay: number, minDelay = 0): void {
    this.#dropConnection()
    if (minDelay) this.#notBefore = Date.now() + minDelay
    this.#setState('waiting')
    this.#timer = setTimeout(() => { if (this.state === 'waiting') this.connect() }, delay)
  }

  /** Closes the socket without waiting for its peer, and rejects its pending requests. */
  #dropConnection(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#watchdog)
    const connection = this.#connection
    this.#connection = undefined
    if (connection) {
      const { socket, sendQueue } = connection
      sendQueue.close()
      socket.onopen = socket.onmessage = socket.onclose = null
      try {
        socket.close(1000)
      } catch { /* it is closed already */ }
    }
    this.#pending.rejectAll(this.error ?? new OnairError('closed', 'The connection was lost before the answer came.'))
  }

  /** Reconnects if the server has been silent for too long; else checks again when it will have been. */
  #checkTimeouts(): void {
    clearTimeout(this.#watchdog)
    const connection = this.#connection!
    const now = Date.now()
    if (now < connection.receivedAt) connection.receivedAt = this.#pending.pendingSince = now // the clock was set back
    const silentFor = now - connection.receivedAt
    let left = Infinity
    if (!connection.welcomedAt) left = welcomeTimeout - silentFor
    else if (this.detectsSilence) left = this.#idleMs * silenceFactor - silentFor
    if (this.#pending.size) left = Math.min(left, answerTimeout - Math.min(silentFor, now - this.#pending.pendingSince))
    if (left === Infinity) return
    if (left > 0) return void (this.#watchdog = setTimeout(() => this.#checkTimeouts(), left))
    if (!connection.welcomedAt) this.failures++
    this.#resetBackoffIfStable()
    this.#reconnectAfterBackoff()
  }
}
