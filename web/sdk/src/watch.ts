import { Emitter } from './emitter.js'
import type { OnairError } from './errors.js'
import { List } from './list.js'
import type { Diff, Entry, Watching } from './wire.js'

export interface WatchEvents {
  /** The entry has changed: its counts, its state, or its play URLs, which are renewed in time. */
  change: Entry
  /** The stream has ended, or never was on air. */
  ended: undefined
  /** The server does not let it be watched, for another reason. */
  refused: OnairError
}

/** One stream that is watched: it counts this client among its viewers. */
export class Watch extends Emitter<WatchEvents> {
  ended = false

  #list = new List()
  readonly #close: () => void

  /** Made by `Viewer.watch`. */
  constructor(readonly code: string, readonly play: string[] | undefined, close: () => void) {
    super()
    this.#close = close
  }

  /** The stream as it is now, with signed play URLs; undefined before the first answer, and after the end. */
  get entry(): Entry | undefined { return this.#list.entries[0] }

  /** Stops watching. */
  close(): void { this.#close() }

  /** @internal */
  begin(m: Watching): void {
    this.#list.replace({ pos: m.pos, total: 1, streams: [m.entry] })
    this.emit('change', m.entry)
  }

  /** @internal Takes a diff in; false when it does not follow on what is here. */
  take(m: Diff): boolean {
    const change = this.#list.apply(m)
    if (!change) return false
    if (change.del.length) this.end()
    else if (change.put.length) this.emit('change', this.entry!)
    return true
  }

  /** @internal */
  refuse(why: OnairError): void {
    if (why.code === 'not_found') this.end()
    else this.emit('refused', why)
  }

  /** @internal */
  end(): void {
    if (this.ended) return
    this.ended = true
    this.#list = new List()
    this.emit('ended', undefined)
  }
}
