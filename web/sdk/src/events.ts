import { backoff } from './backoff.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { httpURL, tokenOf, type Phase } from './link.js'
import { EventParser } from './sse.js'
import { View } from './view.js'
import { parameters, type ViewerOptions } from './viewer.js'
import type { Watch } from './watch.js'
import type { Diff, Message, Snapshot, Watching } from './wire.js'

/** The server says something at least every 25 s; 2.5 times that is a dead line. */
const silence = 62_500

/** One request that is made again and again. */
interface Following {
  abort: AbortController
  /** When the server last said something. */
  heard: number
  /** When the server will be asked again at the earliest. */
  notBefore: number
  /** Cuts a rest short. */
  wake?: () => void
}

/**
 * Views and watched streams over Server-Sent Events, one request for each: for networks
 * that let no sockets through.
 */
export class EventsTransport extends Emitter<{ phase: Phase }> {
  phase: Phase = 'idle'
  why?: OnairError

  readonly #followed = new Map<View | Watch, Following>()

  constructor(readonly options: ViewerOptions) {
    super()
  }

  follow(what: View | Watch): void {
    if (this.#followed.has(what)) return
    const f: Following = { abort: new AbortController(), heard: Date.now(), notBefore: 0 }
    this.#followed.set(what, f)
    if (this.phase === 'idle') this.#set('connecting')
    void this.#run(what, f)
  }

  leave(what: View | Watch): void {
    const f = this.#followed.get(what)
    this.#followed.delete(what)
    f?.abort.abort()
    f?.wake?.()
  }

  /** Asks anew for all, at once. */
  connect(): void {
    this.why = undefined
    this.#set('connecting')
    for (const what of [...this.#followed.keys()]) this.#anew(what)
  }

  /** Asks anew for what waits, or has been silent for too long: timers may have stood still. */
  wake(): void {
    if (this.phase === 'stopped') return
    for (const [what, f] of [...this.#followed]) {
      if (f.wake) setTimeout(f.wake, Math.max(f.notBefore - Date.now(), this.#random() * 500))
      else if (Date.now() - f.heard >= silence) this.#anew(what)
    }
  }

  #anew(what: View | Watch): void {
    this.leave(what)
    this.follow(what)
  }

  get #random(): () => number { return this.options.random ?? Math.random }

  close(): void {
    for (const what of [...this.#followed.keys()]) this.leave(what)
    this.#stop(new OnairError('stopped', 'The client was closed.'))
  }

  #set(phase: Phase): void {
    if (phase === this.phase) return
    this.phase = phase
    this.emit('phase', phase)
  }

  #stop(why: OnairError): void {
    this.why = why
    this.#set('stopped')
  }

  async #run(what: View | Watch, f: Following): Promise<void> {
    const { signal } = f.abort
    let refused = 0 // tokens, in a row
    for (let attempt = 0; !signal.aborted; attempt++) {
      let least = 0
      const began = Date.now()
      try {
        least = await this.#read(what, f)
        refused = 0
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof OnairError) {
          if (error.code === 'unauthorized' && (typeof this.options.token !== 'function' || ++refused > 2) || error.code === 'forbidden') return this.#stop(error)
          if (error.code !== 'unauthorized' && !error.passing) return this.#refuse(what, error)
          least = error.retryAfterMs ?? 0
        }
      }
      if (signal.aborted) return
      if (Date.now() - began > 5_000) attempt = refused = 0
      this.#set('waiting')
      f.notBefore = Date.now() + least
      await this.#rest(f, Math.max(least, backoff(attempt, this.#random)))
    }
  }

  #rest(f: Following, ms: number): Promise<void> {
    return new Promise(resolve => {
      const over = () => {
        clearTimeout(timer)
        if (f.wake === over) f.wake = undefined // else it was woken, and another rest has begun
        resolve()
      }
      const timer = setTimeout(over, ms)
      f.wake = over
    })
  }

  /** Reads one answer to its end; gives the least time to wait before the next. */
  async #read(what: View | Watch, f: Following): Promise<number> {
    const token = await tokenOf(this.options.token)
    const query = what instanceof View
      ? { ...what.query, pos: what.pos || undefined }
      : { limit: 1, watch: what.code, play: what.play }
    const dead = new AbortController()
    const off = () => dead.abort()
    f.abort.signal.addEventListener('abort', off)
    f.heard = Date.now()
    let watchdog = setTimeout(off, silence)
    try {
      const answer = await (this.options.fetch ?? fetch)(httpURL(this.options.url, '/v1/streams/events?' + parameters(query)), {
        signal: dead.signal, headers: { Accept: 'text/event-stream', ...token === undefined ? {} : { Authorization: `Bearer ${token}` } },
      })
      if (!answer.ok || !answer.body) {
        throw OnairError.of({ type: 'error', code: 'unavailable', ...await answer.json().catch(() => ({})) as object })
      }
      this.#set('open')
      const reader = answer.body.getReader()
      const text = new TextDecoder()
      const parser = new EventParser()
      let drain = 0
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return drain
        f.heard = Date.now()
        clearTimeout(watchdog)
        watchdog = setTimeout(off, silence)
        for (const event of parser.push(text.decode(value, { stream: true }))) {
          const m = JSON.parse(event.data) as Message
          if (event.name === 'drain') drain = this.#random() * Number(m.reconnect_in_ms) // once it has ended
          if (!this.#take(what, event.name, m)) return 0
        }
      }
    } finally {
      clearTimeout(watchdog)
      f.abort.signal.removeEventListener('abort', off)
      dead.abort()
    }
  }

  /** Takes one event in; false when it does not follow on what is here. */
  #take(what: View | Watch, name: string, m: Message): boolean {
    const isView = what instanceof View
    switch (name) {
      case 'snapshot':
        return !isView || what.take(m as unknown as Snapshot)
      case 'diff': {
        const d = m as unknown as Diff
        if (isView) return what.take(d)
        if (d.view === `code/${what.code}` && !what.take(d)) return false
        if (what.ended) this.leave(what)
        break
      }
      case 'watching':
        if (!isView) what.begin(m as unknown as Watching)
    }
    return true
  }

  #refuse(what: View | Watch, why: OnairError): void {
    this.leave(what)
    what.refuse(why)
  }
}
