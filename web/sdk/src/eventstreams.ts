import { Emitter } from './emitter.js'
import { OnairError } from './errors.js'
import { EventStream } from './eventstream.js'
import type { ViewerOptions } from './options.js'
import type { ConnectionState } from './reconnectingsocket.js'
import type { Subscription } from './subscription.js'

/** The transport for networks that block WebSockets: one event stream for each subscription. */
export class EventStreams extends Emitter<{ state: ConnectionState }> {
  state: ConnectionState = 'idle'
  /** Why it is stopped. */
  error?: OnairError

  readonly #streams = new Map<Subscription, EventStream>()

  constructor(readonly options: ViewerOptions) {
    super()
  }

  open(subscription: Subscription): void {
    if (!subscription.isActive || this.#streams.has(subscription)) return
    const stream = new EventStream(subscription, this.options, state => this.#setState(state))
    this.#streams.set(subscription, stream)
    if (this.state === 'idle') this.#setState('connecting')
    stream.run().catch((error: OnairError) => {
      if (error.code === 'unauthorized' || error.code === 'forbidden') return this.#stop(error)
      this.close(subscription)
      subscription.reject(error)
    })
  }

  close(subscription: Subscription): void {
    const stream = this.#streams.get(subscription)
    this.#streams.delete(subscription)
    stream?.close()
  }

  closeAll(): void {
    for (const subscription of [...this.#streams.keys()]) this.close(subscription)
    this.#stop(new OnairError('stopped', 'The client was closed.'))
  }

  /** Requests all streams again, at once. */
  connect(): void {
    this.error = undefined
    this.#setState('connecting')
    for (const subscription of [...this.#streams.keys()]) this.#restart(subscription)
  }

  /** Restarts streams that have timed out and shortens waits: timers may have been suspended. */
  wake(): void {
    if (this.state === 'stopped') return
    for (const [subscription, stream] of [...this.#streams]) {
      if (stream.hasTimedOut) this.#restart(subscription)
      else stream.shortenWait()
    }
  }

  #restart(subscription: Subscription): void {
    this.close(subscription)
    this.open(subscription)
  }

  #setState(state: ConnectionState): void {
    if (state === this.state) return
    this.state = state
    this.emit('state', state)
  }

  #stop(error: OnairError): void {
    this.error = error
    this.#setState('stopped')
  }
}
