type StorageName = 'localStorage' | 'sessionStorage'

/** Loads a text; undefined if there is none, or the browser forbids storage. */
export function loadItem(storage: StorageName, key: string): string | undefined {
  try {
    return globalThis[storage].getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

/** Stores a text, or removes it if it is undefined. Does nothing where the browser forbids storage. */
export function storeItem(storage: StorageName, key: string, value: string | undefined): void {
  try {
    if (value === undefined) globalThis[storage].removeItem(key)
    else globalThis[storage].setItem(key, value)
  } catch { /* the page works without it until the next reload */ }
}
