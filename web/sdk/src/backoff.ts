import type { OnairError } from './errors.js'

const baseDelay = 1_000
export const maxDelay = 30_000
/** A connection that lasted this long resets the backoff. */
export const stableAfter = 5_000

/** Milliseconds before an attempt, counted from 0. Full jitter: random between 0 and a bound that doubles with each attempt, up to `max`. */
export function backoffDelay(attempt: number, random: () => number, max = maxDelay): number {
  return random() * Math.min(max, baseDelay * 2 ** Math.min(attempt, 10))
}

/** The bound of an anchor's delays: it needs several attempts before its lease expires. */
export function anchorMaxDelay(heartbeatMs: number, missedLimit: number): number {
  return Math.min(maxDelay, heartbeatMs * missedLimit / 6)
}

/** Milliseconds before a request that failed temporarily is repeated. */
export function retryDelay(error: OnairError, random: () => number): number {
  return error.retryAfterMs ?? 500 + random() * 1_000
}
