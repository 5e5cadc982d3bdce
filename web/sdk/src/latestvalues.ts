/** Values for `for await`. Only the latest one waits: a slow reader skips older ones. */
export function latestValues<T>(subscribe: (push: (value: T) => void, end: () => void) => () => void): AsyncIterableIterator<T> {
  let pending: { value: T } | undefined
  let ended = false
  let wakeReader: (() => void) | undefined
  const unsubscribe = subscribe(
    value => { pending = { value }; wakeReader?.() },
    () => { ended = true; wakeReader?.() },
  )
  return {
    async next() {
      while (!pending && !ended) {
        await new Promise<void>(resolve => { wakeReader = resolve })
        wakeReader = undefined
      }
      if (pending) {
        const { value } = pending
        pending = undefined
        return { value, done: false }
      }
      unsubscribe()
      return { value: undefined, done: true }
    },
    async return() {
      ended = true
      pending = undefined
      unsubscribe()
      wakeReader?.()
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() { return this },
  }
}
