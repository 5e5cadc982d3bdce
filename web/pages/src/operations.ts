import { OnairError, type PushURLs } from 'onair'
import { t } from './i18n'
import { NodeMetrics } from './nodemetrics'

/** A session as those who operate see it. */
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

/** Why a session is in its state. */
export interface Account extends Session {
  rule: string
  explanation: string
  sources?: string[]
  ends_in_ms?: number
  evidence: { source: string, sign: string, at: number, age_ms: number, detail?: string }[]
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

/** What the address generator answers. */
export interface Addresses {
  code: string
  push: PushURLs
  play: Record<string, string>
  play_expires_at: number
}

/** What operators may ask of the server. `refused` is told when it does not take the token. */
export class Operations {
  constructor(readonly token: string, readonly refused: (why: string) => void) {}

  sessions(query: { state: 'live' | 'ended', anchor?: string, cursor?: string }, signal?: AbortSignal): Promise<{ sessions: Session[], cursor?: string }> {
    const given = Object.entries(query).filter(([, value]) => value)
    return this.#ask('GET', '/v1/sessions?' + new URLSearchParams(given), undefined, signal)
  }

  why(code: string, session: string, signal?: AbortSignal): Promise<Account> {
    return this.#ask('GET', `/v1/streams/${encodeURIComponent(code)}/why?session=${encodeURIComponent(session)}`, undefined, signal)
  }

  kick(code: string): Promise<Session> {
    return this.#ask('POST', `/v1/streams/${encodeURIComponent(code)}/kick`, {})
  }

  banOf(anchor: string): Promise<Ban> {
    return this.#ask('GET', `/v1/bans/${encodeURIComponent(anchor)}`)
  }

  ban(anchor: string, body: { until?: number, reason?: string }): Promise<Ban> {
    return this.#ask('PUT', `/v1/bans/${encodeURIComponent(anchor)}`, body)
  }

  lift(anchor: string): Promise<void> {
    return this.#ask('DELETE', `/v1/bans/${encodeURIComponent(anchor)}`)
  }

  deadLetters(signal?: AbortSignal): Promise<{ dead_letters: DeadLetter[] }> {
    return this.#ask('GET', '/v1/dead-letters', undefined, signal)
  }

  sign(body: { code: string, expires_at?: number }): Promise<Addresses> {
    return this.#ask('POST', '/v1/sign', body)
  }

  /** What the node that is reached counts, and its name. */
  async metrics(signal?: AbortSignal): Promise<{ node: string, metrics: NodeMetrics }> {
    const answer = await this.#call('GET', '/v1/metrics', undefined, signal)
    return { node: answer.headers.get('Onair-Node') ?? '', metrics: new NodeMetrics(await answer.text()) }
  }

  async #ask<T>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const answer = await this.#call(method, path, body, signal)
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }

  async #call(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const answer = await fetch(path, {
      method, signal, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${this.token}` },
    }).catch((error: Error) => {
      throw error.name === 'AbortError' ? error : new OnairError('closed', t('no answer'))
    })
    if (answer.ok) return answer
    const why = OnairError.fromMessage({ type: 'error', code: 'unavailable', detail: `HTTP ${answer.status}`, ...await answer.json().catch(() => ({})) as object })
    signal?.throwIfAborted() // nobody waits for it any more
    if (answer.status === 401 || answer.status === 403) this.refused(t('token refused', { why: why.message }))
    throw why
  }
}
