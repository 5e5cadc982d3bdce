/** The messages of the protocol, as `docs/protocol.md` has them. */

export type State = 'starting' | 'live' | 'away'

/** What everybody sees of a stream that is on air. */
export interface Entry {
  code: string
  anchor: string
  title: string
  state: State
  /** Why the stream is away. */
  away?: 'missed_beat' | 'media'
  /** Unix milliseconds. */
  started_at: number
  viewers: number
  likes: number
  tags?: string[]
  cover?: string
  extra?: Record<string, unknown>
  /** Signed URLs by protocol, where the query asks for them. */
  play?: Record<string, string>
}

export type Sort = 'viewers' | 'likes' | 'started'

/** Which streams a view shows. */
export interface Query {
  list?: string
  /** Entries that have all of these. */
  tags?: string[]
  /** Streams of these user ids alone; `[]` is nobody's. */
  anchors?: string[]
  /** Descending; `viewers` by default. */
  sort?: Sort
  limit?: number
  /** Protocols whose signed URLs each entry is to carry. */
  play?: string[]
}

export interface Push {
  rtmp: string
  /** What OBS asks for: server and key. */
  server: string
  key: string
  srt?: string
  webrtc?: string
  /** Unix milliseconds. */
  expires_at: number
}

export interface Start {
  list?: string
  title: string
  cover?: string
  tags?: string[]
  extra?: Record<string, unknown>
  /** false: watchable by its code, and in no view. */
  listed?: boolean
  /** The evidence that the session lives by. */
  sources?: string[]
}

/** Members that are to be replaced; `null` removes one. */
export interface Update {
  title?: string | null
  cover?: string | null
  tags?: string[] | null
  extra?: Record<string, unknown> | null
}

export interface Summary {
  duration_ms: number
  peak_viewers: number
  likes: number
}

export interface Stats {
  bitrate_kbps?: number
  fps?: number
  dropped?: number
}

export type EndReason = 'stopped' | 'missed_beats' | 'taken_over' | 'kicked' | 'banned' | 'stream_lost'

export interface Welcome {
  type: 'welcome'
  node: string
  build: string
  connection: string
  server_time: number
  heartbeat_ms: number
  missed_limit: number
  idle_ms: number
}

export interface Snapshot {
  type: 'snapshot'
  view: string
  pos: string
  total: number
  streams: Entry[]
}

export interface Diff {
  type: 'diff'
  view: string
  prev: string
  pos: string
  total?: number
  put?: Entry[]
  set?: (Partial<Record<keyof Entry, unknown>> & { code: string })[]
  del?: string[]
}

export interface Watching {
  type: 'watching'
  code: string
  view: string
  pos: string
  entry: Entry
  expires_at: number
}

/** Any message; clients ignore types that they do not know. */
export interface Message {
  type: string
  id?: number | string
  [member: string]: unknown
}
