import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Anchor, type AnchorState, type OnairError, type PushURLs, type StartOptions } from 'onair'
import { CopyField } from './copyfield'
import { compactNumber, duration, shortDateTime } from './format'
import { Heartbeat } from './heartbeat'
import { t } from './i18n'
import { QRCode } from './qrcode'
import { TokenPage, type TokenProps } from './tokenpage'

function Broadcast(p: TokenProps) {
  const { anchor, state, push, notice, isCrashed, openAnchor, crash } = useAnchor(p)
  const [error, setError] = useState('')
  const showError = (request: Promise<unknown>) => void request.then(() => setError(''), (e: OnairError) => {
    if (e.code !== 'stopped') setError(e.message) // else the page itself closed the anchor
  })
  useEffect(() => showError(openAnchor().resume()), []) // what was on air before a reload
  const isOnAir = state === 'live' || state === 'interrupted'
  return (
    <>
      <section class="card stack" aria-live="polite">
        <BroadcastState anchor={anchor} state={state} isCrashed={isCrashed} />
        {notice && <p class="quiet">{notice}</p>}
        {error && <p class="error" role="alert">{error}</p>}
        {isCrashed && <div><button type="button" class="first" onClick={() => showError(openAnchor().resume())}>{t('resume')}</button></div>}
        {isOnAir && (
          <div class="row">
            <button type="button" class="first" onClick={() => showError(anchor!.stop())}>{t('stop')}</button>
            <button type="button" title={t('crash text')} onClick={crash}>{t('crash')}</button>
          </div>
        )}
      </section>
      {!isCrashed && (
        <DetailsForm
          key={anchor?.session} isOnAir={isOnAir} initial={anchor?.stream} isBusy={state === 'starting' || state === 'interrupted'}
          onSubmit={body => showError(isOnAir ? anchor!.update({ ...body, cover: body.cover ?? null, tags: body.tags ?? null }) : anchor!.start(body))}
        />
      )}
      {isOnAir && push && <PushSection push={push} onRefresh={() => showError(anchor!.refreshPushURLs())} />}
      {anchor && !isCrashed && <Heartbeat anchor={anchor} />}
    </>
  )
}

/** An anchor that the page opens again after a crash, and closes with the page. */
function useAnchor(p: TokenProps) {
  const [anchor, setAnchor] = useState<Anchor>()
  const [state, setState] = useState<AnchorState>('idle')
  const [push, setPush] = useState<PushURLs>()
  const [notice, setNotice] = useState('')
  const [isCrashed, setIsCrashed] = useState(false)
  const current = useRef<Anchor | undefined>(undefined)
  useEffect(() => () => current.current?.close(), [])

  const openAnchor = () => {
    const opened = new Anchor({ token: p.token })
    opened.on('state', setState)
    opened.on('push', setPush)
    opened.on('connectionState', p.onConnectionState)
    opened.on('notice', n => setNotice(n.message))
    opened.on('stopped', e => { if (e.code === 'unauthorized') p.onTokenRefused(e.message) })
    current.current = opened
    setAnchor(opened)
    setPush(undefined)
    setIsCrashed(false)
    return opened
  }
  /** Closes the anchor without a stop. Its session stays in the tab's storage. */
  const crash = () => {
    anchor!.close()
    setIsCrashed(true)
    p.onConnectionState('stopped')
    setState('idle')
  }
  return { anchor, state, push, notice, isCrashed, openAnchor, crash }
}

function BroadcastState({ anchor, state, isCrashed }: { anchor?: Anchor, state: AnchorState, isCrashed: boolean }) {
  const isOnAir = state === 'live' || state === 'interrupted'
  const ending = state === 'ended' ? anchor!.ending! : undefined
  return (
    <>
      <p class={'broadcast ' + state}>
        {isCrashed ? t('broadcast crashed') : state === 'ended' ? t('broadcast ended', { reason: ending!.reason }) : t(`broadcast ${state}`)}
        {isOnAir && <span class="mono"> {anchor!.stream?.code}</span>}
      </p>
      {ending?.summary && (
        <p class="quiet">{t('summary', { time: duration(ending.summary.duration_ms), viewers: compactNumber(ending.summary.peak_viewers), likes: compactNumber(ending.summary.likes) })}</p>
      )}
    </>
  )
}

interface DetailsFormProps {
  isOnAir: boolean
  isBusy: boolean
  initial?: { title: string, cover?: string, tags?: string[] }
  onSubmit: (body: StartOptions) => void
}

/** The form for the members of a stream that viewers see. */
function DetailsForm(p: DetailsFormProps) {
  const [title, setTitle] = useState(p.initial?.title ?? '')
  const [cover, setCover] = useState(p.initial?.cover ?? '')
  const [tagText, setTagText] = useState(p.initial?.tags?.join(', ') ?? '')
  const submit = (event: Event) => {
    event.preventDefault()
    const tags = tagText.split(/[,，]/).map(tag => tag.trim()).filter(Boolean)
    p.onSubmit({ title: title.trim(), cover: cover.trim() || undefined, tags: tags.length ? tags : undefined })
  }
  return (
    <form class="card stack" onSubmit={submit}>
      <label>{t('title')}<input required maxLength={256} value={title} onInput={e => setTitle(e.currentTarget.value)} /></label>
      <label>{t('cover')}<input type="url" pattern="https://.*" maxLength={1024} value={cover} onInput={e => setCover(e.currentTarget.value)} /></label>
      <label>{t('tags')}<input value={tagText} onInput={e => setTagText(e.currentTarget.value)} /></label>
      <div><button type="submit" class={p.isOnAir ? '' : 'first'} disabled={p.isBusy}>{p.isOnAir ? t('update') : t('go live')}</button></div>
    </form>
  )
}

/** The push URLs for the encoder. */
function PushSection(p: { push: PushURLs, onRefresh: () => void }) {
  return (
    <section class="card stack" aria-label={t('push urls')}>
      <h2>{t('push urls')}</h2>
      <CopyField label="RTMP" text={p.push.rtmp} />
      <CopyField label={`OBS: ${t('server')}`} text={p.push.server} />
      <CopyField label={`OBS: ${t('stream key')}`} text={p.push.key} />
      {p.push.srt && <CopyField label="SRT" text={p.push.srt} />}
      <div class="row">
        <QRCode text={p.push.rtmp} label={t('qr code')} />
        <div class="stack">
          <span class="quiet">{t('valid until', { time: shortDateTime(p.push.expires_at) })}</span>
          <div><button type="button" onClick={p.onRefresh}>{t('refresh urls')}</button></div>
        </div>
      </div>
    </section>
  )
}

render(<TokenPage page="studio" role="anchor" class="stack narrow" content={Broadcast} />, document.getElementById('app')!)
