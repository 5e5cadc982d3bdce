/** The messages of the protocol, as `docs/protocol.md` defines them. */

export type StreamState = 'starting' | 'live' | 'away'

/** The public members of a stream that is on air. */
export interface Entry {
  code: string
  anchor: string
  title: string
  state: StreamState
  /** Why the stream is away. */
  away?: 'missed_beat' | 'media'
  /** Unix milliseconds. */
  started_at: number
  viewers: number
  likes: number
  tags?: string[]
  cover?: string
  extra?: Record<string, unknown>
  /** Signed play URLs by protocol, if the query asks for them. */
  play?: Record<string, string>
}

export type Sort = 'viewers' | 'likes' | 'started'

/** Which streams a view contains. */
export interface Query {
  list?: string
  /** Streams that have all of these tags. */
  tags?: string[]
  /** Streams of these user ids; `[]` matches no stream. */
  anchors?: string[]
  /** Descending; `viewers` by default. */
  sort?: Sort
  limit?: number
  /** The protocols of the signed play URLs that each entry carries. */
  play?: string[]
}

export interface PushURLs {
  rtmp: string
  /** Server and key are the two fields of OBS. */
  server: string
  key: string
  srt?: string
  webrtc?: string
  /** Unix milliseconds. */
  expires_at: number
}

export interface StartOptions {
  list?: string
  title: string
  cover?: string
  tags?: string[]
  extra?: Record<string, unknown>
  /** false: the stream is in no view, and is watched by its code. */
  listed?: boolean
  /** The sources of evidence that keep the session live. */
  sources?: string[]
}

/** Members to replace; `null` removes one. */
export interface StreamUpdate {
  title?: string | null
  cover?: string | null
  tags?: string[] | null
  extra?: Record<string, unknown> | null
}

export interface SessionSummary {
  duration_ms: number
  peak_viewers: number
  likes: number
}

export interface EncoderStats {
  bitrate_kbps?: number
  fps?: number
  dropped?: number
}

export type EndReason = 'stopped' | 'missed_beats' | 'taken_over' | 'kicked' | 'banned' | 'stream_lost'

/** A recorded broadcast. */
export interface Recording {
  id: string
  code: string
  anchor: string
  title?: string
  cover?: string
  started_at: number
  ended_at: number
  duration_ms: number
  format: string
  size_bytes?: number
  peak_viewers?: number
  likes?: number
}

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

/** Any message. Clients ignore unknown types and members. */
export interface Message {
  type: string
  id?: number | string
  [member: string]: unknown
}
