import type { Diff, Entry, Snapshot, Sort } from './wire.js'

/** What one message changed in a list. */
export interface ListChange {
  /** Entries that are new or have changed, as they are now. */
  put: Entry[]
  /** Codes of the entries that left. */
  del: string[]
}

/** Entries in the server's order. An entry is replaced, never changed in place. */
export class EntryList {
  /** Sorted; a new array after each change. */
  entries: readonly Entry[] = []
  /** How many streams match the query without its limit. */
  total = 0
  /** The position in the view's history; empty before the first snapshot. */
  position = ''

  #byCode = new Map<string, Entry>()
  readonly #compare: (a: Entry, b: Entry) => number

  constructor(sort: Sort = 'viewers') {
    this.#compare = entryOrder(sort)
  }

  get(code: string): Entry | undefined { return this.#byCode.get(code) }

  /** Replaces all entries. */
  applySnapshot(m: Pick<Snapshot, 'pos' | 'total' | 'streams'>): ListChange {
    const before = this.#byCode
    this.#byCode = new Map(m.streams.map(e => [e.code, e]))
    this.position = m.pos
    this.total = m.total
    this.#sortEntries()
    return { put: m.streams, del: [...before.keys()].filter(code => !this.#byCode.has(code)) }
  }

  /** Applies a diff. Returns undefined, and changes nothing, when the diff does not start at this position. */
  applyDiff(d: Diff): ListChange | undefined {
    if (d.prev !== this.position) return undefined
    this.position = d.pos
    this.total = d.total ?? this.total
    const changed = new Set<string>()
    const removed = new Set<string>()
    for (const code of d.del ?? []) if (this.#byCode.delete(code)) removed.add(code)
    for (const entry of d.put ?? []) {
      this.#byCode.set(entry.code, entry)
      changed.add(entry.code)
    }
    for (const members of d.set ?? []) {
      const entry = this.#byCode.get(members.code)
      if (!entry) continue
      this.#byCode.set(entry.code, mergeMembers(entry, members))
      changed.add(entry.code)
    }
    if (changed.size || removed.size) this.#sortEntries()
    return { put: [...changed].map(code => this.#byCode.get(code)!), del: [...removed].filter(code => !this.#byCode.has(code)) }
  }

  #sortEntries(): void {
    this.entries = [...this.#byCode.values()].sort(this.#compare)
  }
}

/** A copy of an entry with some members replaced. A member that is null is removed. */
function mergeMembers(entry: Entry, members: object): Entry {
  const merged: Record<string, unknown> = { ...entry }
  for (const [name, value] of Object.entries(members)) {
    if (value === null) delete merged[name]
    else merged[name] = value
  }
  return merged as unknown as Entry
}

/** Descending; ties by the newer start, then by code. Codes are ASCII, so this compares bytes. */
function entryOrder(sort: Sort): (a: Entry, b: Entry) => number {
  const member = sort === 'started' ? 'started_at' : sort
  return (a, b) => b[member] - a[member] || b.started_at - a.started_at || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0)
}
