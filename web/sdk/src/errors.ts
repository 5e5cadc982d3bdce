import type { EndReason, Message, Summary } from './wire.js'

/** Why something was refused, or could not be had. */
export class OnairError extends Error {
  override name = 'OnairError'

  constructor(
    /**
     * One of the protocol's codes, such as `not_found` or `session_gone`; or `closed`
     * when the connection was lost before the answer came, and `stopped` when the
     * client was closed or may not connect.
     */
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
    /** With `session_gone`: how the session ended, where that is still known. */
    readonly reason?: EndReason,
    readonly summary?: Summary,
  ) {
    super(message)
  }

  /** Whether it is refused for now: the same may be asked again, after `retryAfterMs`. */
  get passing(): boolean { return ['unavailable', 'unknown', 'rate_limited'].includes(this.code) }

  static of(m: Message): OnairError {
    return new OnairError(
      String(m.code), String(m.message ?? m.detail ?? m.code), m.retry_after_ms as number | undefined,
      m.reason as EndReason | undefined, m.summary as Summary | undefined,
    )
  }
}
