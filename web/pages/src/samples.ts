import type { Operations } from './operations'

/** What the console saw at one time; what it could not see is null. */
export interface Sample {
  at: number
  live: number | null
  starting: number | null
  away: number | null
  viewers: number | null
  /** How long one page of sessions took, in milliseconds. */
  answer: number | null
}

const every = 5_000
const kept = 720 // an hour
/** Counting ends after so many pages, so that a console costs a large server little. */
const mostPages = 10

/** Counts what is on air every few seconds, for as long as the console is open. */
export class Samples {
  all: readonly Sample[] = []
  /** Whether there was more on air than was counted. */
  partial = false
  #hearers = new Set<() => void>()

  constructor(readonly operations: Operations) {}

  onChange(hear: () => void): () => void {
    this.#hearers.add(hear)
    return () => this.#hearers.delete(hear)
  }

  /** Gives what ends it. */
  start(): () => void {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async () => {
      const sample = await this.#take(abort.signal)
      if (abort.signal.aborted) return
      this.all = [...this.all, sample].slice(-kept)
      this.#hearers.forEach(hear => hear())
      timer = setTimeout(run, every)
    }
    void run()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }

  async #take(signal: AbortSignal): Promise<Sample> {
    const counts = { live: 0, starting: 0, away: 0, viewers: 0 }
    let answer = 0
    let cursor: string | undefined
    try {
      for (let page = 0; page < mostPages && (page === 0 || cursor); page++) {
        const began = performance.now()
        const got = await this.operations.sessions({ state: 'live', cursor }, signal)
        answer = performance.now() - began
        for (const s of got.sessions) {
          if (s.state !== 'ended') counts[s.state]++
          counts.viewers += s.viewers
        }
        cursor = got.cursor
      }
    } catch {
      return { at: Date.now(), live: null, starting: null, away: null, viewers: null, answer: null }
    }
    this.partial = cursor !== undefined
    return { at: Date.now(), ...counts, answer }
  }
}
