/** What a page keeps, for its tab or for good. Browsers may forbid it, and then nothing is kept. */
function storage(where: 'localStorage' | 'sessionStorage', use: (s: Storage) => string | null | void): string | undefined {
  try {
    return use(globalThis[where]) ?? undefined
  } catch {
    return undefined
  }
}

export const kept = (where: 'localStorage' | 'sessionStorage', key: string) => storage(where, s => s.getItem(key))

/** Keeps a value, or without one nothing. */
export function keep(where: 'localStorage' | 'sessionStorage', key: string, value: string | undefined): void {
  storage(where, s => value === undefined ? s.removeItem(key) : s.setItem(key, value))
}
