export { Anchor, type AnchorEvents, type AnchorState, type Ending } from './anchor.js'
export type { ListChange } from './entrylist.js'
export { OnairError } from './errors.js'
export type { AnchorOptions, ClientOptions, Token, ViewerOptions } from './options.js'
export type { ConnectionState } from './reconnectingsocket.js'
export { View, type ViewEvents } from './view.js'
export { Viewer, type ViewerEvents } from './viewer.js'
export { Watch, type WatchEvents } from './watch.js'
export type {
  EncoderStats, EndReason, Entry, PushURLs, Query, Recording, SessionSummary, Sort, StartOptions, StreamState, StreamUpdate,
} from './wire.js'
