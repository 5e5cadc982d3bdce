import { retryDelay } from './backoff.js'
import { Emitter } from './emitter.js'
import type { OnairError } from './errors.js'
import { EventStreams } from './eventstreams.js'
import { bearerHeader, currentToken, httpURL, queryString, responseError } from './http.js'
import { LikeBuffer } from './likebuffer.js'
import type { ViewerOptions } from './options.js'
import { onWake } from './pageevents.js'
import { ReconnectingSocket, type ConnectionState } from './reconnectingsocket.js'
import type { Subscription } from './subscription.js'
import { View } from './view.js'
import { Watch } from './watch.js'
import type { Entry, Message, Query, Recording } from './wire.js'

export interface ViewerEvents {
  connectionState: ConnectionState
  /** The connection is stopped, for this reason. */
  stopped: OnairError
}

/** After so many sockets without a welcome, the viewer tries Server-Sent Events. */
const maxSocketFailures = 3
/** With Server-Sent Events, the viewer tries a socket again after this time. */
const socketRetryInterval = 5 * 60_000

/** Receives which streams are on air. An app needs one viewer for all its views and watched streams. */
export class Viewer extends Emitter<ViewerEvents> {
  readonly #socket: ReconnectingSocket
  readonly #views = new Set<View>()
  readonly #watches = new Map<string, Watch>()
  /** Subscriptions that have a request on the socket. */
  readonly #requested = new Set<Subscription>()
  readonly #likes = new LikeBuffer((code, n) => this.#sendLikes(code, n), () => this.connectionState !== 'stopped')
  readonly #removeWakeListener: () => void
  #socketRetryTimer?: ReturnType<typeof setTimeout>
  /** Used in place of the socket while it is set. */
  #eventStreams?: EventStreams

  constructor(readonly options: ViewerOptions = {}) {
    super()
    this.#socket = new ReconnectingSocket('/v1/viewer', options, true)
    this.#socket.on('welcome', () => this.#handleWelcome())
    this.#socket.on('message', m => this.#handleMessage(m))
    this.#socket.on('state', state => this.#handleSocketState(state))
    this.#removeWakeListener = onWake(() => this.wake())
    if (options.transport === 'events') this.#useEventStreams()
  }

  get connectionState(): ConnectionState { return this.#eventStreams?.state ?? this.#socket.state }

  /** Opens a live query. The viewer connects by itself. */
  subscribe(query: Query = {}): View {
    const view: View = new View(query, () => this.#unsubscribe(view))
    this.#views.add(view)
    this.#openSubscription(view)
    return view
  }

  /**
   * Watches a stream, and counts as one of its viewers until the watch is closed.
   * `protocols` are those of the signed play URLs, all by default. A second call for the
   * same stream returns the same watch.
   */
  watch(code: string, protocols?: string[]): Watch {
    const existing = this.#watches.get(code)
    if (existing && !existing.ended) return existing
    const watch: Watch = new Watch(code, protocols, () => this.#unwatch(watch))
    this.#watches.set(code, watch)
    this.#openSubscription(watch)
    return watch
  }

  /** Likes a stream. Likes within a short time are sent together. */
  like(code: string, n = 1): void {
    this.#likes.add(code, n)
    if (!this.#eventStreams && this.#socket.state === 'idle') this.#socket.connect()
  }

  /** Gets one page of the streams that match a query, over HTTP. */
  async listStreams(query: Query & { cursor?: string } = {}): Promise<{ streams: Entry[], total: number, cursor?: string }> {
    return (await this.#fetch('/v1/streams?' + queryString(query))).json()
  }

  /** Gets one page of recordings, the last started first. */
  async listRecordings(query: { anchor?: string, code?: string, from?: number, to?: number, cursor?: string } = {}): Promise<{ recordings: Recording[], cursor?: string }> {
    return (await this.#fetch('/v1/recordings?' + queryString(query))).json()
  }

  /** Gets the signed URLs that play a recording, by format. */
  async recordingURLs(id: string): Promise<{ urls: Record<string, string>, expires_at: number }> {
    return (await this.#fetch(`/v1/recordings/${encodeURIComponent(id)}/play`)).json()
  }

  /** Checks the connection. Apps call it when they return to the foreground; in browsers it happens by itself. */
  wake(): void {
    this.#socket.wake()
    this.#eventStreams?.wake()
  }

  /** Connects again after `stopped`. */
  connect(): void {
    if (this.#eventStreams) this.#eventStreams.connect()
    else this.#socket.connect()
  }

  /** Closes the connection, and all views and watches. */
  close(): void {
    this.#removeWakeListener()
    this.#likes.close()
    clearTimeout(this.#socketRetryTimer)
    this.#eventStreams?.closeAll()
    this.#socket.close()
    for (const view of [...this.#views]) view.close()
    this.#watches.clear()
  }

  get #subscriptions(): Subscription[] { return [...this.#views, ...this.#watches.values()] }

  #openSubscription(subscription: Subscription): void {
    if (this.#eventStreams) this.#eventStreams.open(subscription)
    else if (this.#socket.state === 'open') void this.#requestSubscription(subscription)
    else if (this.#socket.state === 'idle') this.#socket.connect()
  }

  /** Requests a subscription on the socket, unless a request is pending. */
  async #requestSubscription(subscription: Subscription): Promise<void> {
    if (this.#requested.has(subscription) || !subscription.isActive) return
    this.#requested.add(subscription)
    try {
      const answer = await this.#socket.request(subscription.socketRequest())
      if (subscription instanceof View) this.#handleSubscribed(subscription, answer)
    } catch (error) {
      this.#handleRequestError(subscription, error as OnairError)
    } finally {
      this.#requested.delete(subscription)
    }
  }

  #handleSubscribed(view: View, answer: Message): void {
    if (!this.#views.has(view)) this.#sendUnsubscribe(String(answer.view)) // it was closed meanwhile
    // A view whose id was not known, or has changed, has not received the answer yet.
    else if (answer.view !== view.id) view.applyMessage(answer)
  }

  #handleRequestError(subscription: Subscription, error: OnairError): void {
    const isWanted = () => this.#socket.state === 'open' && this.#subscriptions.includes(subscription)
    if (!isWanted()) return // the next connection requests it, if anything does
    if (error.isTemporary) {
      setTimeout(() => { if (isWanted()) void this.#requestSubscription(subscription) }, retryDelay(error, this.#socket.random))
      return
    }
    if (subscription instanceof View) this.#views.delete(subscription)
    else if (subscription instanceof Watch) this.#watches.delete(subscription.code)
    subscription.reject(error)
  }

  #handleWelcome(): void {
    clearTimeout(this.#socketRetryTimer)
    const eventStreams = this.#eventStreams
    this.#eventStreams = undefined
    if (eventStreams) {
      eventStreams.closeAll()
      this.emit('connectionState', 'open')
    }
    for (const subscription of this.#subscriptions) void this.#requestSubscription(subscription)
  }

  #handleMessage(m: Message): void {
    const receivers = [...[...this.#views].filter(view => view.id === m.view), ...this.#watches.values()]
    for (const receiver of receivers) if (!receiver.applyMessage(m)) void this.#requestSubscription(receiver)
  }

  #handleSocketState(state: ConnectionState): void {
    if (this.#eventStreams) {
      if (state === 'waiting') this.#retrySocketLater()
      return
    }
    this.#setConnectionState(state, this.#socket.error)
    if (state === 'waiting' && this.#socket.failures >= maxSocketFailures && (this.options.transport ?? 'auto') === 'auto') void this.#tryEventStreams()
  }

  #setConnectionState(state: ConnectionState, error?: OnairError): void {
    if (state !== 'open') for (const view of this.#views) view.setStale(true)
    this.emit('connectionState', state)
    if (state === 'stopped') this.emit('stopped', error!)
  }

  /** Uses event streams if the server answers HTTP: then it is the network that blocks sockets. */
  async #tryEventStreams(): Promise<void> {
    try {
      await this.listStreams({ limit: 1 })
    } catch {
      return
    }
    if (this.#eventStreams || this.#socket.state === 'open' || this.#socket.state === 'stopped') return
    this.#useEventStreams()
    this.#retrySocketLater()
  }

  #useEventStreams(): void {
    const eventStreams = this.#eventStreams = new EventStreams(this.options)
    eventStreams.on('state', state => { if (eventStreams === this.#eventStreams) this.#setConnectionState(state, eventStreams.error) })
    for (const subscription of this.#subscriptions) eventStreams.open(subscription)
  }

  #retrySocketLater(): void {
    clearTimeout(this.#socketRetryTimer)
    this.#socket.close()
    this.#socketRetryTimer = setTimeout(() => this.#socket.connect(), socketRetryInterval)
  }

  #unsubscribe(view: View): void {
    if (!this.#views.delete(view)) return
    this.#eventStreams?.close(view)
    if (view.id) this.#sendUnsubscribe(view.id)
  }

  /** Ends a view of the server, unless another view of the app has the same id. */
  #sendUnsubscribe(id: string): void {
    if (![...this.#views].some(view => view.id === id)) this.#socket.send({ type: 'unsubscribe', view: id })
  }

  #unwatch(watch: Watch): void {
    if (this.#watches.get(watch.code) !== watch) return
    this.#watches.delete(watch.code)
    this.#eventStreams?.close(watch)
    if (!watch.ended) this.#socket.send({ type: 'unwatch', code: watch.code })
  }

  #sendLikes(code: string, n: number): boolean {
    if (!this.#eventStreams) return this.#socket.send({ type: 'like', code, n })
    this.#fetch(`/v1/streams/${encodeURIComponent(code)}/likes`, { method: 'POST', body: JSON.stringify({ n }) }).catch(() => {})
    return true
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = bearerHeader(await currentToken(this.options.token))
    const response = await (this.options.fetch ?? fetch)(httpURL(this.options.url, path), { ...init, headers })
    if (!response.ok) throw await responseError(response)
    return response
  }
}
