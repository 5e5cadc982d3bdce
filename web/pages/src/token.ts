import { loadItem, storeItem } from './webstorage'

const tokenKey = (role: string) => 'onair.token.' + role

/** Loads the token of a role. It is stored for this tab alone. */
export function loadToken(role: string): string | undefined {
  return loadItem('sessionStorage', tokenKey(role))
}

/** Stores the token of a role, or removes it if it is undefined. */
export function storeToken(role: string, token: string | undefined): void {
  storeItem('sessionStorage', tokenKey(role), token || undefined)
}
