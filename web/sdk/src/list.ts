import type { Diff, Entry, Snapshot, Sort } from './wire.js'

/** What a message changed in a list. */
export interface Change {
  /** Entries that are new, or whose members have changed, as they are now. */
  put: Entry[]
  /** Codes that left. */
  del: string[]
}

/** A list of entries that is always sorted, as the server's view is. Entries are never changed in place. */
export class List {
  /** In order; a new array after each change. */
  entries: readonly Entry[] = []
  /** How many match without the limit. */
  total = 0
  /** Where in the view's history this is; empty: nowhere yet. */
  pos = ''

  #byCode = new Map<string, Entry>()
  readonly #before: (a: Entry, b: Entry) => number

  constructor(sort: Sort = 'viewers') {
    this.#before = order(sort)
  }

  get(code: string): Entry | undefined { return this.#byCode.get(code) }

  /** Takes a whole list in. */
  replace(m: Pick<Snapshot, 'pos' | 'total' | 'streams'>): Change {
    const was = this.#byCode
    this.#byCode = new Map(m.streams.map(e => [e.code, e]))
    this.pos = m.pos
    this.total = m.total
    this.#sort([...this.#byCode.values()])
    return { put: m.streams, del: [...was.keys()].filter(code => !this.#byCode.has(code)) }
  }

  /** Takes a diff in; undefined when it does not follow on what is here. */
  apply(d: Diff): Change | undefined {
    if (d.prev !== this.pos) return undefined
    this.pos = d.pos
    this.total = d.total ?? this.total
    const changed = new Set<string>()
    const gone = new Set<string>()
    for (const code of d.del ?? []) if (this.#byCode.delete(code)) gone.add(code)
    for (const entry of d.put ?? []) {
      this.#byCode.set(entry.code, entry)
      changed.add(entry.code)
    }
    for (const members of d.set ?? []) {
      const entry = this.#byCode.get(members.code)
      if (!entry) continue
      this.#byCode.set(entry.code, merged(entry, members))
      changed.add(entry.code)
    }
    if (changed.size || gone.size) this.#sort([...this.#byCode.values()])
    return { put: [...changed].map(code => this.#byCode.get(code)!), del: [...gone].filter(code => !this.#byCode.has(code)) }
  }

  #sort(entries: Entry[]): void {
    this.entries = entries.sort(this.#before)
  }
}

/** An entry with some members replaced, those that are null removed. */
function merged(entry: Entry, members: object): Entry {
  const next: Record<string, unknown> = { ...entry }
  for (const [name, value] of Object.entries(members)) {
    if (value === null) delete next[name]
    else next[name] = value
  }
  return next as unknown as Entry
}

/** Descending; of equals the newer start first, then by code (ASCII, so by bytes). */
function order(sort: Sort): (a: Entry, b: Entry) => number {
  const of = sort === 'started' ? 'started_at' : sort
  return (a, b) => b[of] - a[of] || b.started_at - a.started_at || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0)
}
