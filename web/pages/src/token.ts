import { keep, kept } from './kept'

/** A role's token, kept for this tab alone. */
export function tokenOf(role: string): string | undefined {
  return kept('sessionStorage', 'onair.token.' + role)
}

export function keepToken(role: string, token: string | undefined): void {
  keep('sessionStorage', 'onair.token.' + role, token || undefined)
}
