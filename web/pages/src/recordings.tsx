import { useEffect, useRef, useState } from 'preact/hooks'
import type { Recording, Viewer } from 'onair'
import { duration, shortDateTime } from './format'
import { t } from './i18n'
import { playVideo } from './playvideo'

/** The recordings, the last started first, with a dialog that plays them. */
export function Recordings(p: { viewer: Viewer }) {
  const [recordings, setRecordings] = useState<Recording[]>()
  const [cursor, setCursor] = useState<string>()
  const [error, setError] = useState('')
  const [playing, setPlaying] = useState<{ recording: Recording, urls: Record<string, string> }>()
  const loadPage = (from?: string) => p.viewer.listRecordings({ cursor: from }).then(page => {
    setRecordings(before => [...from ? before ?? [] : [], ...page.recordings])
    setCursor(page.cursor)
  }).catch((e: Error) => setError(e.message))
  useEffect(() => void loadPage(), [])
  const open = (recording: Recording) => p.viewer.recordingURLs(recording.id)
    .then(({ urls }) => { setError(''); setPlaying({ recording, urls }) })
    .catch((e: Error) => setError(t('cannot play', { error: e.message })))
  return (
    <div class="stack">
      {error && <p class="error" role="alert">{error}</p>}
      {recordings?.length === 0 && <p class="quiet">{t('no recordings')}</p>}
      {recordings && recordings.length > 0 && (
        <div class="card scroll">
          <table>
            <tbody>
              {recordings.map(r => (
                <tr key={r.id}>
                  <td><button type="button" onClick={() => void open(r)}>▶ <span class="hidden">{r.title ?? r.code}</span></button></td>
                  <td>{r.title || r.code}<br /><span class="quiet">{r.anchor}</span></td>
                  <td>{shortDateTime(r.started_at)}</td>
                  <td>{duration(r.duration_ms)}</td>
                  <td class="quiet">{r.format}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {cursor && <div><button type="button" onClick={() => void loadPage(cursor)}>{t('more')}</button></div>}
      {playing && <RecordingDialog {...playing} onClose={() => setPlaying(undefined)} />}
    </div>
  )
}

function RecordingDialog(p: { recording: Recording, urls: Record<string, string>, onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const [error, setError] = useState('')
  useEffect(() => {
    dialog.current!.showModal()
    return playVideo(video.current!, p.urls, false, setError)
  }, [p.recording.id])
  return (
    <dialog ref={dialog} onClose={p.onClose} aria-label={p.recording.title ?? p.recording.code}>
      <video ref={video} controls playsInline />
      <div class="text">
        <h2>{p.recording.title || p.recording.code}</h2>
        {error && <p class="error" role="alert">{t('cannot play', { error })}</p>}
        <div class="row"><button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button></div>
      </div>
    </dialog>
  )
}
