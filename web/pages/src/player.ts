import { t } from './i18n'

/**
 * Plays signed URLs in a video element: FLV by mpegts.js, HLS by hls.js, or by the browser
 * itself where that has no media sources (iPhones); MP4 as a file. It gives what ends it;
 * `failed` is told why there is no picture.
 */
export function play(video: HTMLVideoElement, urls: Record<string, string>, live: boolean, failed: (why: string) => void): () => void {
  let stop = () => {}
  let over = false
  const fail = (why: string) => { if (!over) failed(why) }
  const begin = async () => {
    if (urls.flv) {
      const { default: mpegts } = await import('mpegts.js')
      if (over) return
      if (mpegts.isSupported()) {
        mpegts.LoggingControl.enableAll = false // the page says what is wrong
        const player = mpegts.createPlayer({ type: 'flv', isLive: live, url: urls.flv }, { liveBufferLatencyChasing: live, enableWorker: false })
        player.on(mpegts.Events.ERROR, (_kind: string, detail: string) => fail(detail))
        player.attachMediaElement(video)
        player.load()
        stop = () => player.destroy()
        return
      }
    }
    if (urls.hls) {
      const { default: Hls } = await import('hls.js')
      if (over) return
      if (Hls.isSupported()) {
        const player = new Hls({ enableWorker: false })
        player.on(Hls.Events.ERROR, (_event, data) => { if (data.fatal) fail(data.details) })
        player.loadSource(urls.hls)
        player.attachMedia(video)
        stop = () => player.destroy()
        return
      }
    }
    const file = urls.hls && video.canPlayType('application/vnd.apple.mpegurl') ? urls.hls : urls.mp4
    if (file) {
      video.src = file
      video.onerror = () => fail(video.error?.message ?? '')
      stop = () => video.removeAttribute('src')
      return
    }
    fail(t('no url'))
  }
  begin().then(() => video.play()).catch((error: Error) => {
    // Somebody else was quicker; or the browser wants the play button to be pressed.
    if (error.name !== 'AbortError' && error.name !== 'NotAllowedError') fail(error.message)
  })
  return () => {
    over = true
    stop()
  }
}
