import { Emitter } from './emitter.js'
import { EntryList, type ListChange } from './entrylist.js'
import type { OnairError } from './errors.js'
import { latestValues } from './latestvalues.js'
import type { Subscription } from './subscription.js'
import type { Diff, Entry, Message, Query, Snapshot } from './wire.js'

export interface ViewEvents {
  /** The entries have changed. */
  change: ListChange
  /** `stale` has changed. */
  stale: boolean
  /** The server rejected the query. */
  rejected: OnairError
  closed: undefined
}

/**
 * A live query: the streams that match it, sorted, in real time. It outlives lost
 * connections, and continues on another node.
 */
export class View extends Emitter<ViewEvents> implements Subscription, AsyncIterable<readonly Entry[]> {
  /** The server's id of the view. */
  id = ''
  /** Whether `entries` may be outdated, or are not there yet. */
  stale = true
  /** Whether the view was closed or rejected. */
  closed = false

  readonly #list: EntryList
  readonly #onClose: () => void

  /** Created by `Viewer.subscribe`. */
  constructor(readonly query: Query, onClose: () => void) {
    super()
    this.#list = new EntryList(query.sort)
    this.#onClose = onClose
  }

  /** Sorted; a new array after each change. */
  get entries(): readonly Entry[] { return this.#list.entries }
  /** How many streams match the query without its limit. */
  get total(): number { return this.#list.total }
  /** The position in the view's history: an opaque text. */
  get position(): string { return this.#list.position }

  get(code: string): Entry | undefined { return this.#list.get(code) }

  /** Ends the view. */
  close(): void {
    this.closed = true
    this.#onClose()
    this.emit('closed', undefined)
  }

  /** The entries after each change. A slow reader gets the latest ones alone. */
  [Symbol.asyncIterator](): AsyncIterableIterator<readonly Entry[]> {
    return latestValues((push, end) => {
      const removers = [this.on('change', () => push(this.entries)), this.on('closed', end), this.on('rejected', end)]
      if (!this.stale) push(this.entries)
      if (this.closed) end()
      return () => removers.forEach(remove => remove())
    })
  }

  /** @internal */
  get isActive(): boolean { return !this.closed }

  /** @internal */
  socketRequest(): Message {
    return { type: 'subscribe', ...this.eventsQuery(), view: this.id || undefined }
  }

  /** @internal */
  eventsQuery(): object {
    return { ...this.query, pos: this.position || undefined }
  }

  /** @internal */
  applyMessage(m: Message): boolean {
    if (m.type !== 'snapshot' && m.type !== 'diff') return true
    const isSnapshot = m.type === 'snapshot'
    const change = isSnapshot ? this.#list.applySnapshot(m as unknown as Snapshot) : this.#list.applyDiff(m as unknown as Diff)
    if (!change) return false
    this.id = String(m.view)
    this.setStale(false)
    if (isSnapshot || change.put.length || change.del.length) this.emit('change', change)
    return true
  }

  /** @internal */
  setStale(stale: boolean): void {
    if (this.stale === stale) return
    this.stale = stale
    this.emit('stale', stale)
  }

  /** @internal */
  reject(error: OnairError): void {
    this.closed = true
    this.emit('rejected', error)
  }
}
