import { useEffect, useState } from 'preact/hooks'

/**
 * Asks anew every so many milliseconds while the page is in sight, and at once when the
 * inputs change. The last answer stays while a failure is shown beside it.
 */
export function usePolled<T>(ask: (signal: AbortSignal) => Promise<T>, every: number, inputs: unknown[]): { value?: T, failure: string, again: () => void } {
  const [value, setValue] = useState<T>()
  const [failure, setFailure] = useState('')
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let asking = false
    const run = async () => {
      clearTimeout(timer)
      if (asking || document.hidden) return
      asking = true
      try {
        const answer = await ask(abort.signal)
        if (!abort.signal.aborted) {
          setValue(() => answer)
          setFailure('')
        }
      } catch (error) {
        if (!abort.signal.aborted) setFailure((error as Error).message)
      }
      asking = false
      if (!abort.signal.aborted) timer = setTimeout(run, every)
    }
    const seen = () => void run()
    document.addEventListener('visibilitychange', seen)
    void run()
    return () => {
      document.removeEventListener('visibilitychange', seen)
      clearTimeout(timer)
      abort.abort()
    }
  }, [...inputs, every, turn])
  return { value, failure, again: () => setTurn(n => n + 1) }
}
