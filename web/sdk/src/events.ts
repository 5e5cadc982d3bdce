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

/**
 * Views and watched streams over Server-Sent Events, one request for each: for networks
 * that let no sockets through.
 */
export class EventsTransport extends Emitter<{ phase: Phase }> {
  phase: Phase = 'idle'
  why?: OnairError

  readonly #followed = new Map<View | Watch, AbortController>()

  constructor(readonly options: ViewerOptions) {
    super()
  }

  follow(what: View | Watch): void {
    if (this.#followed.has(what)) return
    const abort = new AbortController()
    this.#followed.set(what, abort)
    if (this.phase === 'idle') this.#set('connecting')
    void this.#run(what, abort)
  }

  leave(what: View | Watch): void {
    this.#followed.get(what)?.abort()
    this.#followed.delete(what)
  }

  /** Asks anew for all, at once. */
  connect(): void {
    this.why = undefined
    this.#set('connecting')
    this.wake()
  }

  wake(): void {
    if (this.phase === 'stopped') return
    for (const what of [...this.#followed.keys()]) {
      this.leave(what)
      this.follow(what)
    }
  }

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

  async #run(what: View | Watch, abort: AbortController): Promise<void> {
    for (let attempt = 0; !abort.signal.aborted; attempt++) {
      let least = 0
      const began = Date.now()
      try {
        least = await this.#read(what, abort.signal)
      } catch (error) {
        if (abort.signal.aborted) return
        if (error instanceof OnairError) {
          if (error.code === 'unauthorized' && typeof this.options.token !== 'function' || error.code === 'forbidden') return this.#stop(error)
          if (error.code === 'bad_request' || error.code === 'not_found') return this.#refuse(what, error)
          least = error.retryAfterMs ?? 0
        }
      }
      if (abort.signal.aborted) return
      if (Date.now() - began > 5_000) attempt = 0
      this.#set('waiting')
      const rest = Math.max(least, backoff(attempt, this.options.random ?? Math.random))
      await new Promise(resolve => setTimeout(resolve, rest))
    }
  }

  /** Reads one answer to its end; gives the least time to wait before the next. */
  async #read(what: View | Watch, signal: AbortSignal): Promise<number> {
    const token = await tokenOf(this.options.token)
    const query = what instanceof View
      ? { ...what.query, pos: what.pos || undefined }
      : { limit: 1, watch: what.code, play: what.play }
    const dead = new AbortController()
    const off = () => dead.abort()
    signal.addEventListener('abort', off)
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
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return 0
        clearTimeout(watchdog)
        watchdog = setTimeout(off, silence)
        for (const event of parser.push(text.decode(value, { stream: true }))) {
          const m = JSON.parse(event.data) as Message
          if (event.name === 'drain') return Math.random() * Number(m.reconnect_in_ms)
          if (!this.#take(what, event.name, m)) return 0
        }
      }
    } finally {
      clearTimeout(watchdog)
      signal.removeEventListener('abort', off)
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
        return d.view !== `code/${what.code}` || what.take(d)
      }
      case 'watching':
        if (!isView) what.begin(m as unknown as Watching)
    }
    return true
  }

  #refuse(what: View | Watch, why: OnairError): void {
    this.leave(what)
    if (what instanceof View) what.refuse(why)
    else what.end()
  }
}
