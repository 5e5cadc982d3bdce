import type { EndReason, Message, SessionSummary } from './wire.js'

/** A request that the server refused, or a connection that failed. */
export class OnairError extends Error {
  override name = 'OnairError'

  constructor(
    /**
     * A code of the protocol, such as `not_found` or `session_gone`. Two codes are the
     * client's own: `closed` when the connection was lost before the answer came, and
     * `stopped` when the client was closed or cannot connect.
     */
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
    /** With `session_gone`: how the session ended, if the server still has it. */
    readonly reason?: EndReason,
    readonly summary?: SessionSummary,
  ) {
    super(message)
  }

  /** Whether the same request may succeed later, after `retryAfterMs`. */
  get isTemporary(): boolean { return ['unavailable', 'unknown', 'rate_limited'].includes(this.code) }

  /** The error in an `error` message, or in the problem that HTTP answers. */
  static fromMessage(m: Message): OnairError {
    return new OnairError(
      String(m.code), String(m.message ?? m.detail ?? m.code), m.retry_after_ms as number | undefined,
      m.reason as EndReason | undefined, m.summary as SessionSummary | undefined,
    )
  }
}
