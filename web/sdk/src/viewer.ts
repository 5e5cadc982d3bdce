import { pause } from './backoff.js'
import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { EventsTransport } from './events.js'
import { httpURL, Link, tokenOf, type Options, type Phase } from './link.js'
import { onWake } from './wake.js'
import { View } from './view.js'
import { Watch } from './watch.js'
import type { Diff, Message, Query, Snapshot, Watching } from './wire.js'

export interface ViewerOptions extends Options {
  /**
   * `auto`: a socket, and Server-Sent Events where sockets do not come through; `socket`
   * or `events`: that one alone.
   */
  transport?: 'auto' | 'socket' | 'events'
  /** Where it is another than the global one. */
  fetch?: typeof fetch
}

export interface ViewerEvents {
  phase: Phase
  /** Why the viewer has stopped. */
  stopped: OnairError
}

/** After so many sockets that were never welcomed it is Server-Sent Events, if HTTP comes through. */
const socketTries = 3
/** After so long with them a socket is tried again. */
const socketAgain = 5 * 60_000
/** Likes wait for so long, so that many are one message. */
const likesEvery = 300
const mostLikes = 100

/** Follows what is on air. One is enough for all views and watched streams of an app. */
export class Viewer extends Emitter<ViewerEvents> {
  readonly #link: Link
  readonly #views = new Set<View>()
  readonly #watches = new Map<string, Watch>()
  readonly #asked = new Set<View | Watch>()
  readonly #likes = new Map<string, number>()
  readonly #unwake: () => void
  #liking?: ReturnType<typeof setTimeout>
  #socketTimer?: ReturnType<typeof setTimeout>
  #events?: EventsTransport

  constructor(readonly options: ViewerOptions = {}) {
    super()
    this.#link = new Link('/v1/viewer', options, true)
    this.#link.on('welcome', () => this.#welcomed())
    this.#link.on('message', m => this.#take(m))
    this.#link.on('phase', phase => this.#moved(phase))
    this.#unwake = onWake(() => this.wake())
    if (options.transport === 'events') this.#fallBack()
  }

  /** Where the connection stands. */
  get phase(): Phase { return this.#events?.phase ?? this.#link.phase }

  /** Opens a live query. The connection is made by itself. */
  subscribe(query: Query = {}): View {
    const view: View = new View(query, () => this.#unsubscribe(view))
    this.#views.add(view)
    this.#begin(view)
    return view
  }

  /**
   * Watches one stream, and counts as one of its viewers as long as it does. `play` are
   * the protocols whose signed URLs are wanted; all by default. A stream is watched
   * once: another call gives the same.
   */
  watch(code: string, play?: string[]): Watch {
    const has = this.#watches.get(code)
    if (has && !has.ended) return has
    const watch: Watch = new Watch(code, play, () => this.#unwatch(watch))
    this.#watches.set(code, watch)
    this.#begin(watch)
    return watch
  }

  /** Likes a stream. Many in a short time are sent together. */
  like(code: string, n = 1): void {
    this.#likes.set(code, (this.#likes.get(code) ?? 0) + n)
    this.#liking ??= setTimeout(() => this.#sendLikes(), likesEvery)
    if (!this.#events && this.#link.phase === 'idle') this.#link.connect()
  }

  /** One look at a query, over HTTP. */
  async list(query: Query & { cursor?: string } = {}): Promise<{ streams: Snapshot['streams'], total: number, cursor?: string }> {
    return this.#get('/v1/streams?' + parameters(query))
  }

  /** Recorded broadcasts, the last to start first. */
  async recordings(query: { anchor?: string, code?: string, from?: number, to?: number, cursor?: string } = {}): Promise<{ recordings: Recording[], cursor?: string }> {
    return this.#get('/v1/recordings?' + parameters(query))
  }

  /** Signed URLs that play a recording, by format. */
  async playRecording(id: string): Promise<{ urls: Record<string, string>, expires_at: number }> {
    return this.#get(`/v1/recordings/${encodeURIComponent(id)}/play`)
  }

  /** To be called when the app comes back from the background; in browsers it is by itself. */
  wake(): void {
    this.#link.wake()
    this.#events?.wake()
  }

  /** Connects again after the viewer has stopped. */
  connect(): void {
    if (this.#events) this.#events.connect()
    else this.#link.connect()
  }

  /** Ends the connection, and all views and watches with it. */
  close(): void {
    this.#unwake()
    clearTimeout(this.#liking)
    clearTimeout(this.#socketTimer)
    this.#events?.close()
    this.#link.close()
    for (const view of [...this.#views]) view.close()
    this.#watches.clear()
  }

  #begin(what: View | Watch): void {
    if (this.#events) this.#events.follow(what)
    else if (this.#link.phase === 'open') void this.#askFor(what)
    else if (this.#link.phase === 'idle') this.#link.connect()
  }

  #welcomed(): void {
    clearTimeout(this.#socketTimer)
    const events = this.#events
    this.#events = undefined // sockets come through after all
    if (events) {
      events.close()
      this.emit('phase', 'open')
    }
    for (const what of [...this.#views, ...this.#watches.values()]) void this.#askFor(what)
  }

  async #askFor(what: View | Watch): Promise<void> {
    if (this.#asked.has(what) || what instanceof Watch && what.ended) return
    this.#asked.add(what)
    try {
      if (what instanceof View) {
        // A diff that answers does not say by its id whose it is to the others of the same view.
        const m = await this.#link.ask({ type: 'subscribe', ...what.query, pos: what.pos || undefined, view: what.id || undefined })
        if (!this.#views.has(what)) this.#leave(String(m.view)) // it was closed meanwhile
        else if (m.view !== what.id) what.take(m as unknown as Snapshot)
      } else {
        await this.#link.ask({ type: 'watch', code: what.code, play: what.play })
      }
    } catch (error) {
      this.#refused(what, error as OnairError)
    } finally {
      this.#asked.delete(what)
    }
  }

  #refused(what: View | Watch, why: OnairError): void {
    if (this.#link.phase !== 'open' || !this.#follows(what)) return // it is asked for again, or not at all
    if (why.passing) {
      const again = () => { if (this.#link.phase === 'open' && this.#follows(what)) void this.#askFor(what) }
      setTimeout(again, pause(why, this.#link.random))
      return
    }
    if (what instanceof View) this.#views.delete(what)
    else this.#watches.delete(what.code)
    what.refuse(why)
  }

  /** Whether the app still wants it. */
  #follows(what: View | Watch): boolean {
    return what instanceof View ? this.#views.has(what) : this.#watches.get(what.code) === what
  }

  #take(m: Message): void {
    switch (m.type) {
      case 'snapshot':
      case 'diff': {
        const d = m as unknown as Diff
        for (const view of this.#views) if (view.id === d.view && !view.take(d)) void this.#askFor(view)
        const watch = d.view.startsWith('code/') ? this.#watches.get(d.view.slice(5)) : undefined
        if (watch && !watch.ended && !watch.take(d)) void this.#askFor(watch)
        break
      }
      case 'watching':
        this.#watches.get(String(m.code))?.begin(m as unknown as Watching)
    }
  }

  #moved(phase: Phase): void {
    if (this.#events) {
      if (phase === 'waiting') this.#socketLater() // this time, too
      return
    }
    if (phase !== 'open') for (const view of this.#views) view.freshen(true)
    this.emit('phase', phase)
    if (phase === 'stopped') this.emit('stopped', this.#link.why!)
    if (phase === 'waiting' && this.#link.failures >= socketTries && (this.options.transport ?? 'auto') === 'auto') void this.#consider()
  }

  /** Falls back if it is the sockets that do not come through, and not the server that is away. */
  async #consider(): Promise<void> {
    try {
      await this.list({ limit: 1 })
    } catch {
      return
    }
    if (this.#events || this.#link.phase === 'open' || this.#link.phase === 'stopped') return
    this.#fallBack()
    this.#socketLater()
  }

  #socketLater(): void {
    clearTimeout(this.#socketTimer)
    this.#link.close()
    this.#socketTimer = setTimeout(() => this.#link.connect(), socketAgain)
  }

  #fallBack(): void {
    const events = this.#events = new EventsTransport(this.options)
    events.on('phase', phase => {
      if (events !== this.#events) return
      if (phase !== 'open') for (const view of this.#views) view.freshen(true)
      this.emit('phase', phase)
      if (phase === 'stopped') this.emit('stopped', events.why!)
    })
    for (const what of [...this.#views, ...this.#watches.values()]) events.follow(what)
  }

  #unsubscribe(view: View): void {
    if (!this.#views.delete(view)) return
    this.#events?.leave(view)
    if (view.id) this.#leave(view.id)
  }

  #leave(id: string): void {
    if (![...this.#views].some(view => view.id === id)) this.#link.tell({ type: 'unsubscribe', view: id })
  }

  #unwatch(watch: Watch): void {
    if (this.#watches.get(watch.code) !== watch) return
    this.#watches.delete(watch.code)
    this.#events?.leave(watch)
    if (!watch.ended) this.#link.tell({ type: 'unwatch', code: watch.code })
  }

  #sendLikes(): void {
    this.#liking = undefined
    for (const [code, n] of this.#likes) {
      const some = Math.min(n, mostLikes)
      if (this.#events) void this.#post(`/v1/streams/${encodeURIComponent(code)}/likes`, { n: some })
      else if (!this.#link.tell({ type: 'like', code, n: some })) continue // when there is a connection again
      if (n > some) this.#likes.set(code, n - some)
      else this.#likes.delete(code)
    }
    if (this.#likes.size && this.phase !== 'stopped') this.#liking = setTimeout(() => this.#sendLikes(), 1_000)
  }

  async #get<T>(path: string): Promise<T> {
    return (await this.#fetch(path)).json() as Promise<T>
  }

  async #post(path: string, body: object): Promise<void> {
    await this.#fetch(path, { method: 'POST', body: JSON.stringify(body) }).catch(() => {})
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const token = await tokenOf(this.options.token)
    const answer = await (this.options.fetch ?? fetch)(httpURL(this.options.url, path), {
      ...init, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    })
    if (!answer.ok) throw OnairError.of({ type: 'error', code: 'unavailable', ...await answer.json().catch(() => ({})) as object })
    return answer
  }
}

/** A broadcast that was recorded. */
export interface Recording {
  id: string
  code: string
  anchor: string
  title?: string
  cover?: string
  started_at: number
  ended_at: number
  duration_ms: number
  format: string
  size_bytes?: number
  peak_viewers?: number
  likes?: number
}

/** Members of a query as parameters of a URL. */
export function parameters(query: object): string {
  // URLSearchParams is not whole in React Native.
  return Object.entries(query).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(Array.isArray(value) ? value.join(',') : String(value))}`).join('&')
}
