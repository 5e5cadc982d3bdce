import { t } from './i18n'

/** What a player needs: it stops when the signal is aborted, and reports errors to `fail`. */
interface Source {
  video: HTMLVideoElement
  urls: Record<string, string>
  isLive: boolean
  signal: AbortSignal
  fail: (reason: string) => void
}

/**
 * Plays signed URLs in a video element: FLV by mpegts.js, HLS by hls.js or, where the
 * browser has no media sources (iPhones), by the browser; MP4 as a file. Returns the
 * function that stops it. `onError` receives why nothing plays.
 */
export function playVideo(video: HTMLVideoElement, urls: Record<string, string>, isLive: boolean, onError: (reason: string) => void): () => void {
  const abort = new AbortController()
  const { signal } = abort
  const fail = (reason: string) => { if (!signal.aborted) onError(reason) }
  openVideo({ video, urls, isLive, signal, fail }).then(() => video.play()).catch((error: Error) => {
    // The video was replaced, or the browser plays it only after a click.
    if (error.name !== 'AbortError' && error.name !== 'NotAllowedError') fail(error.message)
  })
  return () => abort.abort()
}

async function openVideo(source: Source): Promise<void> {
  if (!await openFLV(source) && !await openHLS(source) && !openFile(source)) source.fail(t('no url'))
}

/** Returns false if there is no FLV URL, or the browser cannot play it. */
async function openFLV({ video, urls, isLive, signal, fail }: Source): Promise<boolean> {
  if (!urls.flv) return false
  const { default: mpegts } = await import('mpegts.js')
  if (signal.aborted) return true
  if (!mpegts.isSupported()) return false
  mpegts.LoggingControl.enableAll = false // the page shows errors itself
  const player = mpegts.createPlayer({ type: 'flv', isLive, url: urls.flv }, { liveBufferLatencyChasing: isLive, enableWorker: false })
  player.on(mpegts.Events.ERROR, (_kind: string, detail: string) => fail(detail))
  player.attachMediaElement(video)
  player.load()
  signal.addEventListener('abort', () => player.destroy())
  return true
}

/** Returns false if there is no HLS URL, or the browser has no media sources. */
async function openHLS({ video, urls, signal, fail }: Source): Promise<boolean> {
  if (!urls.hls) return false
  const { default: Hls } = await import('hls.js')
  if (signal.aborted) return true
  if (!Hls.isSupported()) return false
  const player = new Hls({ enableWorker: false })
  player.on(Hls.Events.ERROR, (_event, data) => { if (data.fatal) fail(data.details) })
  player.loadSource(urls.hls)
  player.attachMedia(video)
  signal.addEventListener('abort', () => player.destroy())
  return true
}

/** Returns false if there is no URL that the browser itself plays. */
function openFile({ video, urls, signal, fail }: Source): boolean {
  const url = urls.hls && video.canPlayType('application/vnd.apple.mpegurl') ? urls.hls : urls.mp4
  if (!url) return false
  video.src = url
  video.onerror = () => fail(video.error?.message ?? '')
  signal.addEventListener('abort', () => video.removeAttribute('src'))
  return true
}
