import type { OnairError } from './errors.js'

const base = 1_000
const cap = 30_000

/** Full jitter: a random time up to a bound that doubles with each attempt, from 0. */
export function backoff(attempt: number, random: () => number): number {
  return random() * Math.min(cap, base * 2 ** Math.min(attempt, 10))
}

/** How long to wait before what was refused for now is asked again. */
export function pause(why: OnairError, random: () => number): number {
  return why.retryAfterMs ?? 500 + random() * 1_000
}
