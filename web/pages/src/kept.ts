/** For good, or for the tab. */
type Where = 'localStorage' | 'sessionStorage'

/** Uses a storage. Browsers may forbid it, and then nothing is kept. */
function storage(where: Where, use: (s: Storage) => string | null | void): string | undefined {
  try {
    return use(globalThis[where]) ?? undefined
  } catch {
    return undefined
  }
}

/** What was kept. */
export function kept(where: Where, key: string): string | undefined {
  return storage(where, s => s.getItem(key))
}

/** Keeps a value, or without one nothing. */
export function keep(where: Where, key: string, value: string | undefined): void {
  storage(where, s => value === undefined ? s.removeItem(key) : s.setItem(key, value))
}
