/** Calls a function of the app. Its exception becomes an uncaught one, and does not stop the caller. */
export function callAppFunction<T>(f: () => T): T | undefined {
  try {
    return f()
  } catch (error) {
    queueMicrotask(() => { throw error })
    return undefined
  }
}
