import type { OnairError } from './errors.js'
import type { Message } from './wire.js'

/** A view or a watched stream, as the transports keep it up to date. */
export interface Subscription {
  /** Whether it can still receive messages. */
  readonly isActive: boolean
  /** The message that requests it on a socket, from its own position on. */
  socketRequest(): Message
  /** The query of the event stream that carries it, from its own position on. */
  eventsQuery(): object
  /** Applies a message. Returns false, and changes nothing, when a diff does not start at its position. */
  applyMessage(m: Message): boolean
  /** Ends it with the server's error. */
  reject(error: OnairError): void
}
