type EventTargetLike = Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>

/** Adds a listener where there is a page, and returns the function that removes it. */
function addListener(target: EventTargetLike, name: string, listener: (event: Event) => void): () => void {
  target.addEventListener?.(name, listener)
  return () => target.removeEventListener?.(name, listener)
}

/**
 * Calls back when timers may have been suspended, or the network is back: a tab becomes
 * visible, a page leaves the back/forward cache, the browser is `online`. Returns the
 * function that stops this. Where there is no page it never calls back.
 */
export function onWake(wake: () => void): () => void {
  const removers = [
    addListener(globalThis.document ?? {}, 'visibilitychange', () => { if (document.visibilityState === 'visible') wake() }),
    addListener(globalThis, 'online', wake),
    addListener(globalThis, 'pageshow', wake),
  ]
  return () => removers.forEach(remove => remove())
}

/** Calls back when the page is closed, and not when it goes into the back/forward cache. Returns the function that stops this. */
export function onPageClose(close: () => void): () => void {
  return addListener(globalThis, 'pagehide', event => { if (!(event as PageTransitionEvent).persisted) close() })
}
