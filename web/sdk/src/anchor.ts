import { pause } from './backoff.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { harmless } from './harmless.js'
import { httpURL, Link, type Options, type Phase } from './link.js'
import { onWake } from './wake.js'
import type { EndReason, Entry, Message, Push, Start, Stats, Summary, Update } from './wire.js'

export interface AnchorOptions extends Options {
  /** Where the session is kept, so that a reload finds it again: `sessionStorage` by default, `null` nowhere. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null
  /** What each beat tells of the encoder. */
  stats?: () => Stats | undefined
  /** Stops the session when the page goes away for good; by default it lives on for three beats, and a reload resumes it. */
  stopOnPageHide?: boolean
}

/**
 * Where a broadcast stands:
 *
 * - `idle`: there is none.
 * - `starting`: asked for, and not yet answered.
 * - `live`: it is on air, and its socket holds it.
 * - `interrupted`: it is on air as far as is known, and its socket was lost: it is being
 *   resumed.
 * - `ended`: it is over, see `ended`.
 */
export type AnchorState = 'idle' | 'starting' | 'live' | 'interrupted' | 'ended'

export interface AnchorEvents {
  state: AnchorState
  phase: Phase
  /** The stream, as it was started or updated. */
  stream: Entry
  /** A signed push URL: the first, or a fresh one. */
  push: Push
  /** A beat is on its way. */
  beat: { n: number, at: number }
  /** It was heard; `held`: by a node that cannot promise it yet. */
  ack: { n: number, held: boolean, deadlineMs: number, roundTripMs: number }
  /** It was not, in time. */
  missed: { n: number }
  /** When the next beat is due, in Unix milliseconds. */
  due: number
  ended: { reason: EndReason, summary?: Summary }
  /** The server has something to say to people. */
  notice: { code: string, message: string }
  stopped: OnairError
}

/** How long an ack may take: a quarter of the interval, and at most this. */
const ackWithin = 10_000
const storageKey = 'onair.session'
/** A node that refuses so often for now is left for another. */
const patience = 3
/** Of a connection that another one has replaced. */
const lost = new OnairError('closed', 'The broadcast has moved to another connection.')

interface Kept { session: string, url: string }
interface Starting { body: Start, key: string, resolve: (s: Entry) => void, reject: (e: OnairError) => void }

/** Puts one broadcast on air, and keeps it there with heartbeats until it is stopped. */
export class Anchor extends Emitter<AnchorEvents> {
  state: AnchorState = 'idle'
  stream?: Entry
  push?: Push
  /** The session's secret. */
  session?: string
  /** How it ended. */
  ending?: { reason: EndReason, summary?: Summary }
  /** Milliseconds between beats. */
  interval = 60_000

  readonly #off: (() => void)[]
  readonly #storage: AnchorOptions['storage']
  #link: Link
  #second?: Link
  #start?: Starting
  #moving = false
  #refusals = 0
  #n = 0
  #timer?: ReturnType<typeof setTimeout>
  #ackTimer?: ReturnType<typeof setTimeout>
  #sent = new Map<number, number>()

  constructor(readonly options: AnchorOptions = {}) {
    super()
    this.#storage = options.storage === undefined ? storageOf() : options.storage
    this.#link = this.#attach(new Link('/v1/anchor', options, false))
    this.#off = [onWake(() => this.wake())]
    const g = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>
    if (!options.stopOnPageHide) return
    const hide = (e: Event) => { if (!(e as PageTransitionEvent).persisted) this.#stopNow() }
    g.addEventListener?.('pagehide', hide)
    this.#off.push(() => g.removeEventListener?.('pagehide', hide))
  }

  get phase(): Phase { return this.#link.phase }

  /**
   * Begins a broadcast. What it gives has the live code; `push` is the URL to push to.
   * A lost answer is asked for again, without starting twice. It fails with the server's
   * code, such as `bad_request`, `banned`, `already_live` or `code_taken`.
   */
  start(body: Start): Promise<Entry> {
    if (this.#start || this.state === 'live' || this.state === 'interrupted' && this.phase !== 'stopped') {
      return Promise.reject(new OnairError('already_live', 'This anchor has a broadcast already: stop it first.'))
    }
    this.ending = this.session = undefined
    this.#set('starting')
    return new Promise((resolve, reject) => {
      this.#start = { body, key: freshKey(), resolve, reject }
      this.#go()
    })
  }

  /**
   * Takes up the session that was on air before a reload, or the given one. It resolves
   * to false when there is none, or it has ended, and fails when the server does not
   * want this client.
   */
  async resume(session = this.#kept()): Promise<boolean> {
    if (!session) return false
    if (this.state === 'live') return true
    this.session = session
    this.#set('interrupted')
    this.#go()
    return await this.#settled() === 'live'
  }

  /** Changes what viewers see. `null` removes a member. */
  async update(members: Update): Promise<Entry> {
    const m = await this.#ask({ type: 'update', ...members })
    this.stream = m.stream as Entry
    this.emit('stream', this.stream)
    return this.stream
  }

  /** Gets a fresh push URL for the same broadcast. */
  async refreshPush(): Promise<Push> {
    const m = await this.#ask({ type: 'push' })
    this.push = m.push as Push
    this.emit('push', this.push)
    return this.push
  }

  /** Ends the broadcast at once; one that is just starting, as soon as it is on air. */
  async stop(): Promise<Summary | undefined> {
    if (this.state === 'idle' || this.state === 'ended') return undefined
    try {
      const m = await this.#ask({ type: 'stop' })
      this.#end('stopped', m.summary as Summary | undefined)
      return m.summary as Summary | undefined
    } catch (error) {
      if ((error as OnairError).code !== 'session_gone') throw error
      const gone = error as OnairError
      if (this.session) this.#end(gone.reason ?? 'stopped', gone.summary)
      return gone.summary
    }
  }

  /** Waits until the broadcast is on air or over. It fails where the connection has stopped before that. */
  #settled(): Promise<AnchorState> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.state !== 'starting' && this.state !== 'interrupted') resolve(this.state)
        else if (this.phase === 'stopped') reject(this.#link.why!)
        else return
        for (const off of offs) off()
      }
      const offs = [this.on('state', look), this.on('phase', look)]
      look()
    })
  }

  /** Beats now, as after a probe. */
  beat(): void {
    clearTimeout(this.#timer)
    if (this.state !== 'live' || this.#link.phase !== 'open') return
    const n = ++this.#n
    const at = Date.now()
    this.#sent.set(n, at)
    this.#awaitAck()
    this.#schedule()
    this.#link.tell({ type: 'beat', n, stats: harmless(() => this.options.stats?.()) })
    this.emit('beat', { n, at })
  }

  /** Connects again after the client has stopped, to go on with what was on air. */
  connect(): void { this.#link.connect() }

  /** To be called when the app comes back from the background; in browsers it is by itself. */
  wake(): void {
    this.#link.wake()
    this.beat()
  }

  /** Lets go of the connection. A broadcast that is not stopped ends by its missed beats. */
  close(): void {
    for (const off of this.#off) off()
    clearTimeout(this.#timer)
    clearTimeout(this.#ackTimer)
    this.#second?.close()
    this.#link.close()
  }

  #set(state: AnchorState): void {
    if (state === this.state) return
    this.state = state
    this.emit('state', state)
  }

  #attach(link: Link): Link {
    link.on('welcome', w => {
      this.interval = w.heartbeat_ms
      if (link === this.#link) void this.#takeUp()
      else void this.#moveTo(link)
    })
    link.on('message', m => { if (link === this.#link) this.#take(m) })
    link.on('phase', phase => { if (link === this.#link) this.#moved(phase) })
    return link
  }

  #go(): void {
    if (this.#link.phase === 'open') void this.#takeUp()
    else this.#link.connect()
  }

  /** Asks for what is to be on air, on a connection that has just been welcomed. */
  async #takeUp(): Promise<void> {
    const start = this.#start
    if (!start && this.state !== 'interrupted') return
    let answer: Message
    try {
      answer = await this.#link.ask(start ? { type: 'start', ...start.body, key: start.key } : { type: 'resume', session: this.session })
    } catch (error) {
      return this.#refused(error as OnairError, start)
    }
    this.#began(answer)
  }

  #refused(why: OnairError, start?: Starting): void {
    if (this.#link.phase !== 'open') return // the next connection asks again
    if (why.passing) {
      if (++this.#refusals % patience === 0) return this.#link.reconnect() // perhaps another node can
      setTimeout(() => { if (this.#link.phase === 'open') void this.#takeUp() }, pause(why, this.#link.random))
    } else if (start) {
      if (this.#start !== start) return
      this.#start = undefined
      this.#set('idle')
      start.reject(why)
    } else if (why.code === 'session_gone') {
      this.#end(why.reason ?? 'missed_beats', why.summary)
    } else { // it is another's session, say, or none
      this.#keep(undefined)
      this.#link.stop(why, 1000)
    }
  }

  #began(m: Message): void {
    const start = this.#start
    this.#start = undefined
    this.#refusals = 0
    this.session = String(m.session)
    this.stream = m.stream as Entry
    this.push = m.push as Push
    this.#keep({ session: this.session, url: httpURL(this.options.url, '') })
    this.#set('live')
    this.emit('stream', this.stream)
    this.emit('push', this.push)
    start?.resolve(this.stream)
    this.beat()
  }

  #take(m: Message): void {
    switch (m.type) {
      case 'ack': {
        const n = Number(m.n)
        const at = this.#sent.get(n)
        if (at === undefined) return
        for (const older of this.#sent.keys()) if (older <= n) this.#sent.delete(older)
        this.#awaitAck()
        this.emit('ack', { n, held: m.held === true, deadlineMs: Number(m.deadline_in_ms), roundTripMs: Date.now() - at })
        break
      }
      case 'probe':
        this.beat()
        break
      case 'settings':
        this.interval = Number(m.heartbeat_ms)
        this.beat() // it holds from the next beat on
        break
      case 'ended':
        this.#end(m.reason as EndReason, m.summary as Summary | undefined)
        break
      case 'notice':
        this.emit('notice', { code: String(m.code), message: String(m.message) })
        if (m.code === 'degraded') this.#trySecond()
    }
  }

  #moved(phase: Phase): void {
    // The server closes a connection whose session has moved to another: ours, perhaps.
    if (phase === 'stopped' && this.#moving) return
    if (phase !== 'open') {
      clearTimeout(this.#timer)
      clearTimeout(this.#ackTimer)
      this.#sent.clear()
      if (this.state === 'live') this.#set('interrupted')
    }
    this.emit('phase', phase)
    if (phase !== 'stopped') return
    const why = this.#link.why!
    const start = this.#start
    this.#start = undefined
    if (start) {
      this.#set('idle')
      start.reject(why)
    }
    if (this.state === 'interrupted' && why.code === 'taken_over') this.#end('taken_over')
    this.emit('stopped', why)
  }

  /** The node that holds the socket cannot follow the log: another may. */
  #trySecond(): void {
    if (this.#second) return
    this.#second = this.#attach(new Link('/v1/anchor', this.options, false))
    const link = this.#second
    link.on('phase', phase => {
      if (link !== this.#second || phase !== 'waiting' && phase !== 'stopped') return
      this.#second = undefined // there is none: the first stays
      link.close()
    })
    link.connect()
  }

  async #moveTo(link: Link): Promise<void> {
    let answer: Message | undefined
    this.#moving = true
    try {
      answer = await link.ask({ type: 'resume', session: this.session })
    } catch { /* the first stays */ }
    this.#moving = false
    this.#second = undefined
    if (!answer) {
      link.close()
      if (this.#link.phase === 'stopped') this.#moved('stopped')
      return
    }
    const old = this.#link
    this.#link = link
    old.close(lost)
    this.#began(answer)
  }

  /** Waits for the ack of the oldest beat that has none. Without one, the node may be dead. */
  #awaitAck(): void {
    clearTimeout(this.#ackTimer)
    const [oldest] = this.#sent
    if (!oldest) return
    const [n, at] = oldest
    const within = Math.min(ackWithin, this.interval / 4)
    this.#ackTimer = setTimeout(() => {
      this.emit('missed', { n })
      this.#link.reconnect()
    }, Math.max(0, Math.min(within, at + within - Date.now())))
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    this.emit('due', Date.now() + this.interval)
    this.#timer = setTimeout(() => this.beat(), this.interval)
  }

  /** Asks the connection that holds the broadcast, and the next one when it is lost: nothing that is asked so does harm twice. */
  async #ask(m: Message): Promise<Message> {
    for (;;) {
      if (await this.#settled() !== 'live') throw new OnairError('session_gone', 'There is no broadcast.', undefined, this.ending?.reason, this.ending?.summary)
      try {
        return await this.#link.ask(m)
      } catch (error) {
        if ((error as OnairError).code !== 'closed') throw error
      }
    }
  }

  #end(reason: EndReason, summary?: Summary): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#ackTimer)
    this.#keep(undefined)
    this.session = undefined
    this.ending = { reason, summary }
    this.#set('ended')
    this.emit('ended', this.ending)
  }

  /** Keeps a session for after a reload, or none. Where that fails a reload does not find it; it is on air all the same. */
  #keep(kept: Kept | undefined): void {
    try {
      if (kept) this.#storage?.setItem(storageKey, JSON.stringify(kept))
      else this.#storage?.removeItem(storageKey)
    } catch { /* full, say */ }
  }

  #kept(): string | undefined {
    try {
      const kept = JSON.parse(this.#storage?.getItem(storageKey) ?? 'null') as Kept | null
      return kept && kept.url === httpURL(this.options.url, '') ? kept.session : undefined
    } catch {
      return undefined
    }
  }

  /** The last thing that a page can do. */
  #stopNow(): void {
    if (!this.session || !this.stream) return
    const path = `/v1/streams/${this.stream.code}?session=${this.session}`
    const { token } = this.#link // what is asked for now comes too late
    fetch(httpURL(this.options.url, path), { method: 'DELETE', keepalive: true, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } })
      .catch(() => {})
  }
}

/** A name for one start. `crypto.randomUUID` is not everywhere: not on plain HTTP, nor in React Native. */
function freshKey(): string {
  const some = () => Math.random().toString(36).slice(2)
  return Date.now().toString(36) + some() + some()
}

function storageOf(): Storage | undefined {
  try {
    return globalThis.sessionStorage
  } catch {
    return undefined // a page that may not store
  }
}
