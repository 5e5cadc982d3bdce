import { httpURL } from './http.js'
import type { AnchorOptions } from './options.js'

const storageKey = 'onair.session'

/** The session in the browser's storage, so that a page resumes it after a reload. */
export class StoredSession {
  readonly #storage: AnchorOptions['storage']
  readonly #server: string | undefined

  constructor({ storage, url }: AnchorOptions) {
    this.#storage = storage === undefined ? sessionStorageIfAllowed() : storage
    this.#server = url
  }

  /** The stored session of this server; undefined if there is none, or it cannot be read. */
  load(): string | undefined {
    try {
      const stored = JSON.parse(this.#storage?.getItem(storageKey) ?? 'null') as { session: string, url: string } | null
      return stored?.url === httpURL(this.#server, '') ? stored.session : undefined
    } catch {
      return undefined
    }
  }

  /** Stores a session. A failure, such as a full storage, is ignored: the session is on air all the same. */
  save(session: string): void {
    const url = httpURL(this.#server, '')
    try {
      this.#storage?.setItem(storageKey, JSON.stringify({ session, url }))
    } catch { /* a reload does not resume it */ }
  }

  clear(): void {
    try {
      this.#storage?.removeItem(storageKey)
    } catch { /* the server rejects the session that stays */ }
  }
}

function sessionStorageIfAllowed(): Storage | undefined {
  try {
    return globalThis.sessionStorage
  } catch {
    return undefined
  }
}
