/** A role's token, kept for this tab alone. */
export function tokenOf(role: string): string | undefined {
  return sessionStorage.getItem('onair.token.' + role) ?? undefined
}

export function keepToken(role: string, token: string | undefined): void {
  if (token) sessionStorage.setItem('onair.token.' + role, token)
  else sessionStorage.removeItem('onair.token.' + role)
}
