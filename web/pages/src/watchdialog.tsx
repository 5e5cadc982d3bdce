import { useEffect, useRef, useState } from 'preact/hooks'
import type { Viewer, Watch } from 'onair'
import { compactNumber } from './format'
import { t } from './i18n'
import { playVideo } from './playvideo'

/** Watches a stream and plays its video, in a dialog. */
export function WatchDialog(p: { viewer: Viewer, code: string, onClose: () => void }) {
  const [watch, setWatch] = useState<Watch>()
  const [, setChanges] = useState(0)
  const [error, setError] = useState('')
  const dialog = useRef<HTMLDialogElement>(null)
  const video = useRef<HTMLVideoElement>(null)

  useEffect(() => {
    dialog.current!.showModal()
    const opened = p.viewer.watch(p.code)
    setWatch(opened)
    const redraw = () => setChanges(n => n + 1)
    const removers = [opened.on('change', redraw), opened.on('ended', redraw), opened.on('rejected', e => setError(e.message))]
    return () => {
      removers.forEach(remove => remove())
      opened.close()
    }
  }, [p.code])

  const entry = watch?.entry
  const isPlayable = entry?.play !== undefined
  useEffect(() => {
    // The server renews the URLs. The player keeps the one that it has opened.
    if (isPlayable) return playVideo(video.current!, watch!.entry!.play!, true, setError)
  }, [watch, isPlayable])

  return (
    <dialog ref={dialog} onClose={p.onClose} aria-label={entry?.title ?? p.code}>
      <video ref={video} controls muted playsInline />
      <div class="text">
        <h2>{entry?.title || p.code}</h2>
        <p class="quiet">{entry?.anchor} · {entry && t(`state ${entry.state}`)} · {entry && t('viewers', { n: compactNumber(entry.viewers) })} · {entry && t('likes', { n: compactNumber(entry.likes) })}</p>
        {watch?.ended && <p role="alert">{t('ended')}</p>}
        {error && !watch?.ended && <p class="error" role="alert">{t('cannot play', { error })}</p>}
        <div class="row">
          <button type="button" class="first" disabled={!entry} onClick={() => p.viewer.like(p.code)}>{t('like')}</button>
          <button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button>
        </div>
      </div>
    </dialog>
  )
}
