import type { OnairError } from './errors.js'

const baseDelay = 1_000
const maxDelay = 30_000
/** A connection that lasted this long resets the backoff. */
export const stableAfter = 5_000

/** Milliseconds before an attempt, counted from 0. Full jitter: random between 0 and a bound that doubles with each attempt. */
export function backoffDelay(attempt: number, random: () => number): number {
  return random() * Math.min(maxDelay, baseDelay * 2 ** Math.min(attempt, 10))
}

/** Milliseconds before a request that failed temporarily is repeated. */
export function retryDelay(error: OnairError, random: () => number): number {
  return error.retryAfterMs ?? 500 + random() * 1_000
}
