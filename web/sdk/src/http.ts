import { OnairError } from './errors.js'
import type { Token } from './options.js'

/** The URL of a path at a server, by default at the page's own origin. */
export function httpURL(server: string | undefined, path: string): string {
  const base = server ?? globalThis.location?.origin
  if (!base) throw new TypeError('onair: the option url is missing: there is no page whose origin could be used')
  return base.replace(/^ws/, 'http').replace(/\/+$/, '') + path
}

/** The members of a query as parameters of a URL. */
export function queryString(query: object): string {
  // React Native implements URLSearchParams only in part.
  return Object.entries(query).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(Array.isArray(value) ? value.join(',') : String(value))}`).join('&')
}

/** After a refused token a client tries so many fresh ones. */
export const maxFreshTokens = 2

export async function currentToken(token: Token | undefined): Promise<string | undefined> {
  return typeof token === 'function' ? token() : token
}

export function bearerHeader(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` }
}

/** The error that an HTTP response describes. */
export async function responseError(response: Response): Promise<OnairError> {
  return OnairError.fromMessage({ type: 'error', code: 'unavailable', ...await response.json().catch(() => ({})) as object })
}
