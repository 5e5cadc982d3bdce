import { useEffect, useRef, useState } from 'preact/hooks'
import type { Recording, Viewer } from 'onair'
import { duration, t, time } from './i18n'
import { play } from './player'

/** What was on air, to be seen again. */
export function Recordings(p: { viewer: Viewer }) {
  const [all, setAll] = useState<Recording[]>()
  const [cursor, setCursor] = useState<string>()
  const [failure, setFailure] = useState('')
  const [playing, setPlaying] = useState<{ recording: Recording, urls: Record<string, string> }>()
  const load = (from?: string) => p.viewer.listRecordings({ cursor: from }).then(page => {
    setAll(before => [...from ? before ?? [] : [], ...page.recordings])
    setCursor(page.cursor)
  }).catch((e: Error) => setFailure(e.message))
  useEffect(() => void load(), [])
  const open = (recording: Recording) => p.viewer.recordingURLs(recording.id)
    .then(({ urls }) => { setFailure(''); setPlaying({ recording, urls }) })
    .catch((e: Error) => setFailure(t('cannot play', { why: e.message })))
  return (
    <div class="stack">
      {failure && <p class="error" role="alert">{failure}</p>}
      {all?.length === 0 && <p class="quiet">{t('no recordings')}</p>}
      {all && all.length > 0 && (
        <div class="card scroll">
          <table>
            <tbody>
              {all.map(r => (
                <tr key={r.id}>
                  <td><button type="button" onClick={() => void open(r)}>▶ <span class="hidden">{r.title ?? r.code}</span></button></td>
                  <td>{r.title || r.code}<br /><span class="quiet">{r.anchor}</span></td>
                  <td>{time(r.started_at)}</td>
                  <td>{duration(r.duration_ms)}</td>
                  <td class="quiet">{r.format}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {cursor && <div><button type="button" onClick={() => void load(cursor)}>{t('more')}</button></div>}
      {playing && <Playing {...playing} close={() => setPlaying(undefined)} />}
    </div>
  )
}

function Playing(p: { recording: Recording, urls: Record<string, string>, close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const [failure, setFailure] = useState('')
  useEffect(() => {
    dialog.current!.showModal()
    return play(video.current!, p.urls, false, setFailure)
  }, [p.recording.id])
  return (
    <dialog ref={dialog} onClose={p.close} aria-label={p.recording.title ?? p.recording.code}>
      <video ref={video} controls playsInline />
      <div class="text">
        <h2>{p.recording.title || p.recording.code}</h2>
        {failure && <p class="error" role="alert">{t('cannot play', { why: failure })}</p>}
        <div class="row"><button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button></div>
      </div>
    </dialog>
  )
}
