/** Values as they come, for `for await`. Only the newest waits: who is slow misses what is old. */
export function latest<T>(subscribe: (next: (value: T) => void, end: () => void) => () => void): AsyncIterableIterator<T> {
  let held: { value: T } | undefined
  let ended = false
  let wake: (() => void) | undefined
  const off = subscribe(
    value => { held = { value }; wake?.() },
    () => { ended = true; wake?.() },
  )
  return {
    async next() {
      while (!held && !ended) {
        await new Promise<void>(resolve => { wake = resolve })
        wake = undefined
      }
      if (held) {
        const { value } = held
        held = undefined
        return { value, done: false }
      }
      off()
      return { value: undefined, done: true }
    },
    async return() {
      ended = true
      held = undefined
      off()
      wake?.()
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() { return this },
  }
}
