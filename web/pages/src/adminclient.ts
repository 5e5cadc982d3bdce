import { OnairError, type PushURLs } from 'onair'
import { t } from './i18n'
import { NodeMetrics } from './nodemetrics'

/** A session as operators see it. */
export interface Session {
  session: string
  code: string
  anchor: string
  list: string
  title: string
  state: 'starting' | 'live' | 'away' | 'ended'
  away?: string
  listed: boolean
  started_at: number
  viewers: number
  peak_viewers: number
  likes: number
  ended_at?: number
  duration_ms?: number
  reason?: string
  by?: string
}

/** A session with the rule that decided its state, and the evidence. */
export interface ExplainedSession extends Session {
  rule: string
  explanation: string
  sources?: string[]
  ends_in_ms?: number
  evidence: Evidence[]
}

export interface Evidence {
  source: string
  sign: string
  at: number
  age_ms: number
  detail?: string
}

export interface Ban {
  anchor: string
  until?: number
  reason?: string
  by?: string
}

export interface DeadLetter {
  id: string
  event: string
  at: number
  subject: string
  why: string
}

/** The push and play URLs of a live code. */
export interface SignedURLs {
  code: string
  push: PushURLs
  play: Record<string, string>
  play_expires_at: number
}

/** Calls the server as an operator. `onTokenRefused` receives why the server refuses the token. */
export class AdminClient {
  constructor(readonly token: string, readonly onTokenRefused: (message: string) => void) {}

  listSessions(query: { state: 'live' | 'ended', anchor?: string, cursor?: string }, signal?: AbortSignal): Promise<{ sessions: Session[], cursor?: string }> {
    const parameters = Object.entries(query).filter(([, value]) => value)
    return this.#callJSON('GET', '/v1/sessions?' + new URLSearchParams(parameters), undefined, signal)
  }

  explainSession(code: string, session: string, signal?: AbortSignal): Promise<ExplainedSession> {
    return this.#callJSON('GET', `/v1/streams/${encodeURIComponent(code)}/why?session=${encodeURIComponent(session)}`, undefined, signal)
  }

  kickStream(code: string): Promise<Session> {
    return this.#callJSON('POST', `/v1/streams/${encodeURIComponent(code)}/kick`, {})
  }

  /** Gets the ban of an anchor. It fails with `not_found` if there is none. */
  getBan(anchor: string): Promise<Ban> {
    return this.#callJSON('GET', `/v1/bans/${encodeURIComponent(anchor)}`)
  }

  putBan(anchor: string, ban: { until?: number, reason?: string }): Promise<Ban> {
    return this.#callJSON('PUT', `/v1/bans/${encodeURIComponent(anchor)}`, ban)
  }

  deleteBan(anchor: string): Promise<void> {
    return this.#callJSON('DELETE', `/v1/bans/${encodeURIComponent(anchor)}`)
  }

  listDeadLetters(signal?: AbortSignal): Promise<{ dead_letters: DeadLetter[] }> {
    return this.#callJSON('GET', '/v1/dead-letters', undefined, signal)
  }

  signURLs(body: { code: string, expires_at?: number }): Promise<SignedURLs> {
    return this.#callJSON('POST', '/v1/sign', body)
  }

  /** Gets the metrics of one node, and its name. Behind a load balancer it may be any node. */
  async nodeMetrics(signal?: AbortSignal): Promise<{ node: string, metrics: NodeMetrics }> {
    const response = await this.#call('GET', '/v1/metrics', undefined, signal)
    return { node: response.headers.get('Onair-Node') ?? '', metrics: new NodeMetrics(await response.text()) }
  }

  async #callJSON<T>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const response = await this.#call(method, path, body, signal)
    return (response.status === 204 ? undefined : await response.json()) as T
  }

  async #call(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(path, {
      method, signal, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${this.token}` },
    }).catch((error: Error) => {
      throw error.name === 'AbortError' ? error : new OnairError('closed', t('no answer'))
    })
    if (response.ok) return response
    const error = OnairError.fromMessage({ type: 'error', code: 'unavailable', detail: `HTTP ${response.status}`, ...await response.json().catch(() => ({})) as object })
    signal?.throwIfAborted()
    if (response.status === 401 || response.status === 403) this.onTokenRefused(t('token refused', { error: error.message }))
    throw error
  }
}
