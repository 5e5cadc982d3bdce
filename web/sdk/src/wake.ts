/**
 * Calls back when timers may have stood still, or the network is back: a tab that is
 * shown again, a page that comes out of the cache, `online`. Where there is no page it
 * never does.
 */
export function onWake(wake: () => void): () => void {
  const shown = () => { if (document.visibilityState === 'visible') wake() }
  const page = typeof document !== 'undefined'
  const g = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>
  if (page) document.addEventListener('visibilitychange', shown)
  g.addEventListener?.('online', wake)
  g.addEventListener?.('pageshow', wake)
  return () => {
    if (page) document.removeEventListener('visibilitychange', shown)
    g.removeEventListener?.('online', wake)
    g.removeEventListener?.('pageshow', wake)
  }
}
