import { Emitter } from './emitter.js'
import type { OnairError } from './errors.js'
import { List, type Change } from './list.js'
import { latest } from './stream.js'
import type { Diff, Entry, Query, Snapshot } from './wire.js'

export interface ViewEvents {
  /** The list has changed. */
  change: Change
  /** It may be behind (the connection is lost), or no longer is. */
  stale: boolean
  /** The server refuses the query: it will not come. */
  refused: OnairError
  closed: undefined
}

/**
 * A live query: the streams that match it, always sorted, in real time. It stays through
 * lost connections, restarts of the server and another node.
 */
export class View extends Emitter<ViewEvents> implements AsyncIterable<readonly Entry[]> {
  /** The server's name of the view. */
  id = ''
  /** Whether `entries` may be behind, or are not there yet. */
  stale = true
  /** Whether it is over: closed, or refused. */
  closed = false

  #list: List
  readonly #close: () => void

  /** Made by `Viewer.subscribe`. */
  constructor(readonly query: Query, close: () => void) {
    super()
    this.#list = new List(query.sort)
    this.#close = close
  }

  /** In order, the first first; a new array after each change. */
  get entries(): readonly Entry[] { return this.#list.entries }
  /** How many streams match without the limit. */
  get total(): number { return this.#list.total }
  /** Where the view is in its history; opaque. */
  get pos(): string { return this.#list.pos }

  get(code: string): Entry | undefined { return this.#list.get(code) }

  /** Stops following it. */
  close(): void {
    this.closed = true
    this.#close()
    this.emit('closed', undefined)
  }

  /** The list each time that it has changed; who is slow gets the last one alone. */
  [Symbol.asyncIterator](): AsyncIterableIterator<readonly Entry[]> {
    return latest((next, end) => {
      const offs = [this.on('change', () => next(this.entries)), this.on('closed', end), this.on('refused', end)]
      if (!this.stale) next(this.entries)
      if (this.closed) end()
      return () => offs.forEach(off => off())
    })
  }

  /** @internal Takes a message in; false when it does not follow on what is here. */
  take(m: Snapshot | Diff): boolean {
    const change = m.type === 'snapshot' ? this.#list.replace(m) : this.#list.apply(m)
    if (!change) return false
    this.id = m.view
    this.freshen(false)
    if (m.type === 'snapshot' || change.put.length || change.del.length) this.emit('change', change)
    return true
  }

  /** @internal */
  freshen(stale: boolean): void {
    if (this.stale === stale) return
    this.stale = stale
    this.emit('stale', stale)
  }

  /** @internal */
  refuse(why: OnairError): void {
    this.closed = true
    this.emit('refused', why)
  }
}
