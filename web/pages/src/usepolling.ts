import { useEffect, useState } from 'preact/hooks'

/**
 * Loads a value every `intervalMs` while the page is visible, and at once when the inputs
 * change or `reload` is called. If a load fails, the last value stays beside the error.
 */
export function usePolling<T>(load: (signal: AbortSignal) => Promise<T>, intervalMs: number, inputs: unknown[]): { value?: T, error: string, reload: () => void } {
  const [value, setValue] = useState<T>()
  const [error, setError] = useState('')
  const [reloads, setReloads] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let isLoading = false
    const poll = async () => {
      clearTimeout(timer)
      if (isLoading || document.hidden) return
      isLoading = true
      try {
        const loaded = await load(abort.signal)
        if (!abort.signal.aborted) {
          setValue(() => loaded)
          setError('')
        }
      } catch (e) {
        if (!abort.signal.aborted) setError((e as Error).message)
      }
      isLoading = false
      if (!abort.signal.aborted) timer = setTimeout(poll, intervalMs)
    }
    const pollNow = () => void poll()
    document.addEventListener('visibilitychange', pollNow)
    pollNow()
    return () => {
      document.removeEventListener('visibilitychange', pollNow)
      clearTimeout(timer)
      abort.abort()
    }
  }, [...inputs, intervalMs, reloads])
  return { value, error, reload: () => setReloads(n => n + 1) }
}
