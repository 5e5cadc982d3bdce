import { useEffect, useRef, useState } from 'preact/hooks'
import type { Viewer, Watch } from 'onair'
import { number, t } from './i18n'
import { play } from './player'

/** A stream that is watched, over the page. */
export function Watching(p: { viewer: Viewer, code: string, close: () => void }) {
  const [watch, setWatch] = useState<Watch>()
  const [, redraw] = useState(0)
  const [failure, setFailure] = useState('')
  const dialog = useRef<HTMLDialogElement>(null)
  const video = useRef<HTMLVideoElement>(null)

  useEffect(() => {
    dialog.current!.showModal()
    const w = p.viewer.watch(p.code)
    setWatch(w)
    const offs = [w.on('change', () => redraw(n => n + 1)), w.on('ended', () => redraw(n => n + 1)), w.on('rejected', e => setFailure(e.message))]
    return () => {
      offs.forEach(off => off())
      w.close()
    }
  }, [p.code])

  const entry = watch?.entry
  const ready = entry?.play !== undefined
  useEffect(() => {
    // URLs are renewed while it plays: what plays goes on with its own.
    if (ready) return play(video.current!, watch!.entry!.play!, true, setFailure)
  }, [watch, ready])

  return (
    <dialog ref={dialog} onClose={p.close} aria-label={entry?.title ?? p.code}>
      <video ref={video} controls muted playsInline />
      <div class="text">
        <h2>{entry?.title || p.code}</h2>
        <p class="quiet">{entry?.anchor} · {entry && t(`state ${entry.state}`)} · {entry && t('viewers', { n: number(entry.viewers) })} · {entry && t('likes', { n: number(entry.likes) })}</p>
        {watch?.ended && <p role="alert">{t('ended')}</p>}
        {failure && !watch?.ended && <p class="error" role="alert">{t('cannot play', { why: failure })}</p>}
        <div class="row">
          <button type="button" class="first" disabled={!entry} onClick={() => p.viewer.like(p.code)}>{t('like')}</button>
          <button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button>
        </div>
      </div>
    </dialog>
  )
}
