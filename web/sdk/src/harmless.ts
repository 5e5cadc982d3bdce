/** Calls a function of the app's: its fault is told to whoever hears of faults, and is not ours. */
export function harmless<T>(f: () => T): T | undefined {
  try {
    return f()
  } catch (error) {
    queueMicrotask(() => { throw error })
    return undefined
  }
}
