import { backoff } from './backoff.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { Pace } from './pace.js'
import type { Message, Welcome } from './wire.js'

/** A token, or what gets one: it is asked again before the last one expires. */
export type Token = string | (() => string | Promise<string>)

/** What both clients need. */
export interface Options {
  /** The server, such as `https://live.example.com`; a page's own by default. */
  url?: string
  /** Left out: nobody in particular, where the server allows it. */
  token?: Token
  /** Where there is no global one (Node.js before 22): that of the package `ws`. */
  WebSocket?: new (url: string, protocol: string) => WebSocket
  /** For tests: between 0 and 1. */
  random?: () => number
}

/**
 * Where a connection stands:
 *
 * - `idle`: not asked for.
 * - `connecting`: on its way; nothing may be asked yet.
 * - `open`: the server has welcomed it.
 * - `waiting`: lost; it connects again by itself.
 * - `stopped`: the server does not want this client, or it was closed. Only `connect`
 *   leads out of it.
 */
export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped'

interface LinkEvents {
  phase: Phase
  welcome: Welcome
  message: Message
}

const welcomeWithin = 15_000
/** The server has an answer within ten seconds, be it that it does not know. */
const answerWithin = 15_000
/** A connection that held for so long was a good one: the next attempt is the first. */
const steady = 5_000
/** Attempts that a server without room for more is taken for. */
const overloaded = 3
/** How many intervals without a word are a dead connection. */
const silences = 2.5

/** One connection to one path of the server, made again whenever it is lost. */
export class Link extends Emitter<LinkEvents> {
  phase: Phase = 'idle'
  /** Why the link has stopped. */
  why?: OnairError
  /** How many connections in a row were never welcomed. */
  failures = 0
  /** The last token that was had. */
  token?: string

  #socket?: WebSocket
  #pace?: Pace
  #timer?: ReturnType<typeof setTimeout>
  #watchdog?: ReturnType<typeof setTimeout>
  #attempt = 0
  #tokenRefused = 0
  #idle = 25_000
  #heard = 0
  #asked = 0
  #welcomed = 0
  #least = 0
  #notBefore = 0
  #drain?: number
  #ids = 0
  #pending = new Map<number, { resolve: (m: Message) => void, reject: (e: OnairError) => void }>()

  /** `chatty`: the server is never silent for long on this path, so that silence is a dead line. */
  constructor(readonly path: string, readonly options: Options, readonly chatty: boolean) {
    super()
  }

  get random(): () => number { return this.options.random ?? Math.random }

  /** Connects, if it is not on its way already. */
  connect(): void {
    if (this.phase === 'connecting' || this.phase === 'open') return
    clearTimeout(this.#timer)
    this.why = undefined
    this.#set('connecting')
    const Socket = this.options.WebSocket ?? globalThis.WebSocket
    if (!Socket) return this.stop(new OnairError('stopped', 'There is no WebSocket here: give one in the options.'))
    let socket: WebSocket
    try {
      socket = new Socket(socketURL(this.options.url, this.path), 'onair.v1')
    } catch (error) {
      return this.stop(new OnairError('stopped', String(error)))
    }
    this.#socket = socket
    this.#pace = new Pace(socket)
    this.#drain = undefined
    this.#least = 0
    this.#welcomed = 0
    this.#heard = Date.now()
    this.#check()
    socket.onopen = () => void this.#introduce(socket)
    socket.onmessage = event => { if (socket === this.#socket) this.#receive(socket, event.data) }
    socket.onclose = event => this.#lost(socket, event.code)
    socket.onerror = () => {} // what it is about comes with the close
  }

  /** Closes it for good. */
  close(why = new OnairError('stopped', 'The client was closed.')): void {
    this.stop(why, 1000)
  }

  stop(why: OnairError, code?: number): void {
    this.why = why
    this.#forget(code)
    this.#set('stopped')
  }

  /** Gives the present connection up, and makes another one: at once, where it was a good one. */
  reconnect(): void {
    if (this.phase !== 'open' && this.phase !== 'connecting') return
    if (!this.#judge()) return this.#retry()
    this.#attempt++
    this.#again(0)
  }

  /**
   * To be called when the app was asleep, or the network has changed: timers may have
   * stood still.
   */
  wake(): void {
    if (this.phase === 'waiting') this.#again(Math.max(this.#notBefore - Date.now(), this.random() * 500))
    else if (this.phase === 'open') this.#check()
  }

  /** Sends without wanting an answer; false when there is nobody to send to. */
  tell(m: Message): boolean {
    if (this.phase !== 'open') return false
    this.#pace!.send(m)
    return true
  }

  /** Sends and waits for the answer. */
  ask(m: Message): Promise<Message> {
    if (this.phase !== 'open') return Promise.reject(this.why ?? new OnairError('closed', 'There is no connection.'))
    const id = ++this.#ids
    if (!this.#pending.size) this.#asked = Date.now()
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#pace!.send({ ...m, id })
      this.#check()
    })
  }

  #set(phase: Phase): void {
    if (phase === this.phase) return
    this.phase = phase
    this.emit('phase', phase)
  }

  async #introduce(socket: WebSocket, failures = 0): Promise<void> {
    try {
      this.token = await tokenOf(this.options.token)
    } catch {
      if (socket !== this.#socket) return
      if (this.phase !== 'open') return this.#retry()
      // The token that it has is good for a while yet.
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.#introduce(socket, failures + 1), backoff(failures, this.random))
      return
    }
    if (this.token !== undefined && socket === this.#socket) this.#pace!.send({ type: 'auth', token: this.token })
  }

  #receive(socket: WebSocket, data: unknown): void {
    this.#heard = Date.now()
    let m: Message
    try {
      m = JSON.parse(String(data)) as Message
      if (typeof m?.type !== 'string') throw new TypeError('no message')
    } catch {
      return this.reconnect()
    }
    const waiting = this.#pending.get(m.id as number)
    if (waiting) {
      this.#pending.delete(m.id as number)
      if (m.type === 'error') return waiting.reject(OnairError.of(m))
      this.emit('message', m) // first, so that the answer is taken in before it is awaited
      return waiting.resolve(m)
    }
    switch (m.type) {
      case 'welcome': {
        const w = m as unknown as Welcome
        this.#idle = w.idle_ms
        this.#welcomed = Date.now()
        this.failures = 0
        this.#check()
        this.#set('open')
        return this.emit('welcome', w)
      }
      case 'authenticated': // of a socket that was welcomed as nobody's
        this.#tokenRefused = 0
        break
      case 'token_expiring':
        return void this.#introduce(socket)
      case 'drain':
        this.#drain = Number(m.reconnect_in_ms)
        break
      case 'error':
        this.#least = Number(m.retry_after_ms ?? 0)
    }
    this.emit('message', m)
  }

  #lost(socket: WebSocket, code: number): void {
    if (socket !== this.#socket) return
    if (!this.#welcomed) this.failures++
    this.#judge()
    if (code === 4001) {
      // A token may have expired on its way; a second refusal of a fresh one is meant.
      if (typeof this.options.token !== 'function' || ++this.#tokenRefused > 2) {
        return this.stop(new OnairError('unauthorized', 'The token was refused.'))
      }
      return this.#retry()
    }
    const why = fatal(code)
    if (why) return this.stop(why)
    if (code >= 4200 && code < 4300) {
      this.#attempt = 0
      const rest = this.random() * (this.#drain ?? 1_000)
      return this.#again(rest, this.#drain === undefined ? 0 : rest)
    }
    if (code === 1013) this.#attempt = Math.max(this.#attempt, overloaded)
    this.#retry(this.#least)
  }

  /** Whether the connection was a good one, which the next attempt is the first after. */
  #judge(): boolean {
    const good = this.#welcomed > 0 && Date.now() - this.#welcomed >= steady
    if (good) this.#attempt = this.#tokenRefused = 0
    return good
  }

  /** Connects anew after a rest that grows. */
  #retry(least = 0): void {
    this.#again(Math.max(least, backoff(this.#attempt++, this.random)), least)
  }

  /** Connects anew after a time; not before `least`, be it woken. */
  #again(after: number, least = 0): void {
    this.#forget(1000)
    if (least) this.#notBefore = Date.now() + least
    this.#set('waiting')
    this.#timer = setTimeout(() => { if (this.phase === 'waiting') this.connect() }, after)
  }

  /** Lets go of the socket, and of what it was asked. */
  #forget(code?: number): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#watchdog)
    this.#pace?.close()
    const socket = this.#socket
    this.#socket = undefined
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null
      try {
        socket.close(code)
      } catch { /* it is closed */ }
    }
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const p of pending) p.reject(this.why ?? new OnairError('closed', 'The connection was lost before the answer came.'))
  }

  /** Finds out whether the server has been silent for too long, now and when it may be. */
  #check(): void {
    clearTimeout(this.#watchdog)
    const now = Date.now()
    if (now < this.#heard) this.#heard = this.#asked = now // the clock was set back
    const quiet = now - this.#heard
    let left = Infinity // who beats knows by the answers
    if (!this.#welcomed) left = welcomeWithin - quiet
    else if (this.chatty) left = this.#idle * silences - quiet
    if (this.#pending.size) left = Math.min(left, answerWithin - Math.min(quiet, now - this.#asked))
    if (left === Infinity) return
    if (left > 0) return void (this.#watchdog = setTimeout(() => this.#check(), left))
    if (!this.#welcomed) this.failures++
    this.#judge()
    this.#retry()
  }
}

/** Why a connection that was closed so is not to be made again by itself, if it is not. */
function fatal(code: number): OnairError | undefined {
  if (code === 4009) return new OnairError('taken_over', 'Another device has taken over.')
  if ([1003, 1007, 1008, 1009].includes(code)) return new OnairError('bad_request', `The server does not take what was sent (${code}).`)
  const refused = code >= 4000 && code < 4100
  if (refused || code === 1000) return new OnairError(refused ? 'forbidden' : 'stopped', 'The server has closed the connection for good.')
  return undefined
}

export async function tokenOf(token: Token | undefined): Promise<string | undefined> {
  return typeof token === 'function' ? token() : token
}

/** The URL of a path, at the server or at the page's own. */
export function httpURL(url: string | undefined, path: string): string {
  const base = url ?? globalThis.location?.origin
  if (!base) throw new TypeError('onair: the server\'s url is missing')
  return base.replace(/^ws/, 'http').replace(/\/+$/, '') + path
}

function socketURL(url: string | undefined, path: string): string {
  return httpURL(url, path).replace(/^http/, 'ws')
}
