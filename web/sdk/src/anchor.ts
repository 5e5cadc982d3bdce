import { callAppFunction } from './appfunction.js'
import { anchorMaxDelay, retryDelay } from './backoff.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { Heartbeat } from './heartbeat.js'
import { bearerHeader, httpURL } from './http.js'
import type { AnchorOptions } from './options.js'
import { onPageClose, onWake } from './pageevents.js'
import { ReconnectingSocket, type ConnectionState } from './reconnectingsocket.js'
import { StoredSession } from './storedsession.js'
import type { EndReason, Entry, Message, PushURLs, SessionSummary, StartOptions, StreamUpdate } from './wire.js'

/**
 * The state of a broadcast:
 *
 * - `idle`: there is none.
 * - `starting`: it was requested, and the server has not answered yet.
 * - `live`: it is on air, and the socket is attached to it.
 * - `interrupted`: its socket was lost, and the anchor resumes it on another one.
 * - `ended`: it has ended; see `ending`.
 */
export type AnchorState = 'idle' | 'starting' | 'live' | 'interrupted' | 'ended'

/** How a broadcast ended. */
export interface Ending {
  reason: EndReason
  summary?: SessionSummary
}

export interface AnchorEvents {
  state: AnchorState
  connectionState: ConnectionState
  /** The stream was started, resumed or updated. */
  stream: Entry
  /** New signed push URLs. */
  push: PushURLs
  /** A beat was sent; `at` in Unix milliseconds. */
  beat: { n: number, at: number }
  /** A beat was acknowledged. `held`: its node cannot confirm that the log has it. */
  ack: { n: number, held: boolean, deadlineMs: number, roundTripMs: number }
  /** A beat was not acknowledged in time. */
  ackTimeout: { n: number }
  /** When the next beat is due, in Unix milliseconds. */
  nextBeat: number
  ended: Ending
  /** A message of the server to the user. */
  notice: { code: string, message: string }
  /** The connection is stopped, for this reason. */
  stopped: OnairError
}

/** After so many temporary failures of one request, the anchor connects to another node. */
const maxFailuresPerNode = 3

interface PendingStart {
  body: StartOptions
  key: string
  resolve: (stream: Entry) => void
  reject: (error: OnairError) => void
}

/** Puts one broadcast on air, and sends its heartbeats until it is stopped. */
export class Anchor extends Emitter<AnchorEvents> {
  state: AnchorState = 'idle'
  stream?: Entry
  push?: PushURLs
  /** The session's id. It is secret. */
  session?: string
  /** How the last broadcast ended. */
  ending?: Ending

  readonly #storedSession: StoredSession
  readonly #removeListeners: (() => void)[]
  readonly #heartbeat: Heartbeat
  #socket: ReconnectingSocket
  #missedLimit = 3
  /** A second socket, which takes over if it can resume the session. */
  #candidate?: ReconnectingSocket
  #isSwitching = false
  #pendingStart?: PendingStart
  #failures = 0

  constructor(readonly options: AnchorOptions = {}) {
    super()
    this.#storedSession = new StoredSession(options)
    this.#socket = this.#newSocket()
    this.#heartbeat = new Heartbeat({
      canBeat: () => this.state === 'live' && this.#socket.state === 'open',
      sendBeat: (n, at) => {
        this.#socket.send({ type: 'beat', n, stats: callAppFunction(() => options.stats?.()) })
        this.emit('beat', { n, at })
      },
      onSchedule: at => this.emit('nextBeat', at),
      onAckTimeout: n => {
        this.emit('ackTimeout', { n })
        this.#socket.reconnect()
      },
    })
    this.#removeListeners = [onWake(() => this.wake())]
    if (options.stopOnPageHide) this.#removeListeners.push(onPageClose(() => this.#sendStopOverHTTP()))
  }

  get connectionState(): ConnectionState { return this.#socket.state }

  /** Milliseconds between beats. */
  get intervalMs(): number { return this.#heartbeat.intervalMs }

  /**
   * Starts a broadcast and returns its stream; `push` has the URLs to push to. If the
   * answer is lost the request is repeated, and starts nothing twice. It fails with the
   * server's code, such as `bad_request`, `banned`, `already_live` or `code_taken`.
   */
  start(body: StartOptions): Promise<Entry> {
    if (this.#pendingStart || this.state === 'live' || this.state === 'interrupted' && this.connectionState !== 'stopped') {
      return Promise.reject(new OnairError('already_live', 'This anchor already has a broadcast: stop it first.'))
    }
    this.ending = this.session = undefined
    this.#setState('starting')
    return new Promise((resolve, reject) => {
      this.#pendingStart = { body, key: newStartKey(), resolve, reject }
      this.#requestBroadcast()
    })
  }

  /**
   * Resumes a session, by default the one that was on air before a reload. Returns false
   * when there is none or it has ended. It fails when the connection is stopped.
   */
  async resume(session = this.#storedSession.load()): Promise<boolean> {
    if (!session) return false
    if (this.state === 'live') return true
    this.session = session
    this.#setState('interrupted')
    this.#requestBroadcast()
    return await this.#nextStableState() === 'live'
  }

  /** Changes what viewers see. `null` removes a member. */
  async update(members: StreamUpdate): Promise<Entry> {
    const answer = await this.#request({ type: 'update', ...members })
    this.stream = answer.stream as Entry
    this.emit('stream', this.stream)
    return this.stream
  }

  /** Gets fresh push URLs for the same broadcast. */
  async refreshPushURLs(): Promise<PushURLs> {
    const answer = await this.#request({ type: 'push' })
    this.push = answer.push as PushURLs
    this.emit('push', this.push)
    return this.push
  }

  /** Ends the broadcast: at once, or when a start that is pending has its answer. */
  async stop(): Promise<SessionSummary | undefined> {
    if (this.state === 'idle' || this.state === 'ended') return undefined
    try {
      const { summary } = await this.#request({ type: 'stop' }) as { summary?: SessionSummary }
      this.#endBroadcast('stopped', summary)
      return summary
    } catch (error) {
      const { code, reason, summary } = error as OnairError
      if (code !== 'session_gone') throw error
      if (this.session) this.#endBroadcast(reason ?? 'stopped', summary)
      return summary
    }
  }

  /** Sends a beat now, as the answer to a probe. */
  beat(): void { this.#heartbeat.beat() }

  /** Connects again after `stopped`, and resumes what was on air. */
  connect(): void { this.#socket.connect() }

  /** Checks the connection and beats. Apps call it when they return to the foreground; in browsers it happens by itself. */
  wake(): void {
    this.#socket.wake()
    this.beat()
  }

  /** Closes the connection. A broadcast that was not stopped ends by its missed beats. */
  close(): void {
    for (const remove of this.#removeListeners) remove()
    this.#heartbeat.stop()
    this.#candidate?.close()
    this.#socket.close()
  }

  #setState(state: AnchorState): void {
    if (state === this.state) return
    this.state = state
    this.emit('state', state)
  }

  #newSocket(): ReconnectingSocket {
    const socket = new ReconnectingSocket('/v1/anchor', this.options, false)
    socket.on('welcome', welcome => {
      this.#heartbeat.intervalMs = welcome.heartbeat_ms
      this.#missedLimit = welcome.missed_limit
      socket.maxDelay = anchorMaxDelay(welcome.heartbeat_ms, welcome.missed_limit)
      if (socket === this.#socket) void this.#startOrResume()
      else void this.#switchSocket(socket)
    })
    socket.on('message', m => { if (socket === this.#socket) this.#handleMessage(m) })
    socket.on('state', state => { if (socket === this.#socket) this.#handleSocketState(state) })
    return socket
  }

  #requestBroadcast(): void {
    if (this.#socket.state === 'open') void this.#startOrResume()
    else this.#socket.connect()
  }

  /** Requests the pending start, or resumes the interrupted session, on a socket that is open. */
  async #startOrResume(): Promise<void> {
    const start = this.#pendingStart
    if (!start && this.state !== 'interrupted') return
    let answer: Message
    try {
      answer = await this.#socket.request(start ? { type: 'start', ...start.body, key: start.key } : { type: 'resume', session: this.session })
    } catch (error) {
      return this.#handleRequestError(error as OnairError, start)
    }
    this.#handleStarted(answer)
  }

  #handleRequestError(error: OnairError, start?: PendingStart): void {
    if (this.#socket.state !== 'open') return // the next connection repeats the request
    if (error.isTemporary) {
      if (++this.#failures % maxFailuresPerNode === 0) return this.#socket.reconnect()
      setTimeout(() => { if (this.#socket.state === 'open') void this.#startOrResume() }, retryDelay(error, this.#socket.random))
    } else if (start) {
      if (this.#pendingStart === start) this.#rejectPendingStart(error)
    } else if (error.code === 'session_gone') {
      this.#endBroadcast(error.reason ?? 'missed_beats', error.summary)
    } else { // the session belongs to another user, for example
      this.#storedSession.clear()
      this.#socket.close(error)
    }
  }

  #rejectPendingStart(error: OnairError): void {
    const start = this.#pendingStart
    if (!start) return
    this.#pendingStart = undefined
    this.#setState('idle')
    start.reject(error)
  }

  #handleStarted(m: Message): void {
    const start = this.#pendingStart
    this.#pendingStart = undefined
    this.#failures = 0
    this.session = String(m.session)
    this.stream = m.stream as Entry
    this.push = m.push as PushURLs
    this.#storedSession.save(this.session)
    this.#setState('live')
    this.emit('stream', this.stream)
    this.emit('push', this.push)
    start?.resolve(this.stream)
    this.beat()
  }

  #handleMessage(m: Message): void {
    switch (m.type) {
      case 'ack': {
        const n = Number(m.n)
        const roundTripMs = this.#heartbeat.recordAck(n)
        if (roundTripMs !== undefined) this.emit('ack', { n, held: m.held === true, deadlineMs: Number(m.deadline_in_ms), roundTripMs })
        break
      }
      case 'probe':
        this.beat()
        break
      case 'settings':
        this.#heartbeat.intervalMs = Number(m.heartbeat_ms)
        this.#socket.maxDelay = anchorMaxDelay(this.#heartbeat.intervalMs, this.#missedLimit)
        this.beat() // the server expects the new interval from the next beat on
        break
      case 'ended':
        this.#endBroadcast(m.reason as EndReason, m.summary as SessionSummary | undefined)
        break
      case 'notice':
        this.emit('notice', { code: String(m.code), message: String(m.message) })
        if (m.code === 'degraded') this.#connectCandidate()
    }
  }

  #handleSocketState(state: ConnectionState): void {
    // The server closes a socket whose session was resumed on another one: perhaps on the candidate.
    if (state === 'stopped' && this.#isSwitching) return
    if (state !== 'open') {
      this.#heartbeat.stop()
      if (this.state === 'live') this.#setState('interrupted')
    }
    this.emit('connectionState', state)
    if (state !== 'stopped') return
    const error = this.#socket.error!
    this.#rejectPendingStart(error)
    if (this.state === 'interrupted' && error.code === 'taken_over') this.#endBroadcast('taken_over')
    this.emit('stopped', error)
  }

  /** Opens a second socket, because the node of the first one is isolated from its log. */
  #connectCandidate(): void {
    if (this.#candidate) return
    const candidate = this.#candidate = this.#newSocket()
    candidate.on('state', state => {
      if (candidate !== this.#candidate || state !== 'waiting' && state !== 'stopped') return
      this.#candidate = undefined
      candidate.close()
    })
    candidate.connect()
  }

  /** Resumes the session on the candidate, and closes the first socket if that succeeds. */
  async #switchSocket(candidate: ReconnectingSocket): Promise<void> {
    let answer: Message | undefined
    this.#isSwitching = true
    try {
      answer = await candidate.request({ type: 'resume', session: this.session })
    } catch { /* the first socket stays */ }
    this.#isSwitching = false
    this.#candidate = undefined
    if (!answer) {
      candidate.close()
      if (this.#socket.state === 'stopped') this.#handleSocketState('stopped')
      return
    }
    const old = this.#socket
    this.#socket = candidate
    old.close(new OnairError('closed', 'The broadcast has moved to another connection.'))
    this.#handleStarted(answer)
  }

  /** Waits until the broadcast is neither starting nor interrupted. Fails when the connection is stopped. */
  #nextStableState(): Promise<AnchorState> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.state !== 'starting' && this.state !== 'interrupted') resolve(this.state)
        else if (this.connectionState === 'stopped') reject(this.#socket.error!)
        else return
        for (const remove of removers) remove()
      }
      const removers = [this.on('state', check), this.on('connectionState', check)]
      check()
    })
  }

  /** Sends a request for the live broadcast. If the connection is lost the next one repeats it: these requests are idempotent. */
  async #request(m: Message): Promise<Message> {
    for (;;) {
      if (await this.#nextStableState() !== 'live') throw new OnairError('session_gone', 'There is no broadcast.', undefined, this.ending?.reason, this.ending?.summary)
      try {
        return await this.#socket.request(m)
      } catch (error) {
        if ((error as OnairError).code !== 'closed') throw error
      }
    }
  }

  #endBroadcast(reason: EndReason, summary?: SessionSummary): void {
    this.#heartbeat.stop()
    this.#storedSession.clear()
    this.session = undefined
    this.ending = { reason, summary }
    this.#setState('ended')
    this.emit('ended', this.ending)
  }

  /** Stops the session by a request that outlives the page. */
  #sendStopOverHTTP(): void {
    if (!this.session || !this.stream) return
    const path = `/v1/streams/${this.stream.code}?session=${this.session}`
    // The token is the last one: the page does not live until a fresh one is there.
    fetch(httpURL(this.options.url, path), { method: 'DELETE', keepalive: true, headers: bearerHeader(this.#socket.token) }).catch(() => {})
  }
}

/** A random key of one start. `crypto.randomUUID` is missing on plain HTTP and in React Native. */
function newStartKey(): string {
  const randomText = () => Math.random().toString(36).slice(2)
  return Date.now().toString(36) + randomText() + randomText()
}
