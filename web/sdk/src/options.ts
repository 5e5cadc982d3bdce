import type { EncoderStats } from './wire.js'

/** A token, or a function that returns one. The client calls it again before a token expires. */
export type Token = string | (() => string | Promise<string>)

/** Options of both clients. */
export interface ClientOptions {
  /** The server, such as `https://live.example.com`. By default it is the page's own origin. */
  url?: string
  /** Without a token the client is anonymous, where the server allows it. */
  token?: Token
  /** Where there is no global one (Node.js before 22): the one of the package `ws`. */
  WebSocket?: new (url: string, protocol: string) => WebSocket
  /** For tests: returns a number between 0 and 1. */
  random?: () => number
}

export interface ViewerOptions extends ClientOptions {
  /**
   * `socket` uses a WebSocket alone, `events` Server-Sent Events alone. `auto`, the
   * default, uses a WebSocket, and Server-Sent Events where WebSockets are blocked.
   */
  transport?: 'auto' | 'socket' | 'events'
  /** Replaces the global one. */
  fetch?: typeof fetch
}

export interface AnchorOptions extends ClientOptions {
  /** Stores the session, so that a reload resumes it: `sessionStorage` by default; `null` stores nothing. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null
  /** Returns the encoder's figures, which each beat carries. */
  stats?: () => EncoderStats | undefined
  /** Stops the session when the page is closed. By default it stays on air for three beats, and a reload resumes it. */
  stopOnPageHide?: boolean
}
