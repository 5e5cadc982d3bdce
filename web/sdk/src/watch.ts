import { Emitter } from './emitter.js'
import { EntryList } from './entrylist.js'
import type { OnairError } from './errors.js'
import type { Subscription } from './subscription.js'
import type { Diff, Entry, Message, Snapshot, Watching } from './wire.js'

export interface WatchEvents {
  /** The entry has changed: its counts, its state, or its play URLs, which the server renews. */
  change: Entry
  /** The stream has ended, or is not on air. */
  ended: undefined
  /** The server rejected the watch for another reason. */
  rejected: OnairError
}

/** One watched stream. It counts this client among the stream's viewers. */
export class Watch extends Emitter<WatchEvents> implements Subscription {
  ended = false

  #list = new EntryList()
  /** The server's id of the view with this one entry. It names the protocols, unless they are all. */
  #viewId = ''
  readonly #onClose: () => void

  /** Created by `Viewer.watch`. */
  constructor(readonly code: string, readonly protocols: string[] | undefined, onClose: () => void) {
    super()
    this.#onClose = onClose
  }

  /** The stream with its signed play URLs; undefined before the first answer and after the end. */
  get entry(): Entry | undefined { return this.#list.entries[0] }

  /** Stops watching. */
  close(): void { this.#onClose() }

  /** @internal */
  get isActive(): boolean { return !this.ended }

  /** @internal */
  socketRequest(): Message {
    return { type: 'watch', code: this.code, play: this.protocols }
  }

  /** @internal */
  eventsQuery(): object {
    return { limit: 1, watch: this.code, play: this.protocols }
  }

  /** @internal Ignores messages about other streams. */
  applyMessage(m: Message): boolean {
    if (m.type === 'watching' && m.code === this.code) {
      const { view, pos, entry } = m as unknown as Watching
      this.#viewId = view
      this.#list.applySnapshot({ pos, total: 1, streams: [entry] })
      this.emit('change', entry)
      return true
    }
    if (m.view !== this.#viewId || this.ended) return true
    const change = m.type === 'snapshot' ? this.#list.applySnapshot(m as unknown as Snapshot) : this.#list.applyDiff(m as unknown as Diff)
    if (!change) return false
    if (change.del.length) this.end()
    else if (change.put.length) this.emit('change', this.entry!)
    return true
  }

  /** @internal */
  reject(error: OnairError): void {
    if (error.code === 'not_found') this.end()
    else this.emit('rejected', error)
  }

  /** @internal */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.#list = new EntryList()
    this.emit('ended', undefined)
  }
}
