import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Anchor, type AnchorState, type OnairError, type ConnectionState, type PushURLs, type StartOptions } from 'onair'
import { AskForToken } from './askfortoken'
import { Copy } from './copy'
import { Heartbeat } from './heartbeat'
import { duration, number, t, time } from './i18n'
import { QR } from './qr'
import { keepToken, tokenOf } from './token'
import { Top } from './top'

function Studio() {
  const [token, setToken] = useState(tokenOf('anchor'))
  const [refused, setRefused] = useState('')
  const [phase, setPhase] = useState<ConnectionState>('idle')
  const forget = (why: string) => {
    keepToken('anchor', undefined)
    setRefused(why)
    setToken(undefined)
  }
  return (
    <>
      <Top page="studio" phase={phase}>
        {token && <button type="button" onClick={() => forget('')}>{t('forget token')}</button>}
      </Top>
      <main class="stack narrow">
        <h1 class="hidden">{t('studio')}</h1>
        {token ? <Broadcast key={token} token={token} phase={setPhase} refused={forget} /> : <AskForToken role="anchor" refused={refused} use={setToken} />}
      </main>
    </>
  )
}

function Broadcast(p: { token: string, phase: (phase: ConnectionState) => void, refused: (why: string) => void }) {
  const [anchor, setAnchor] = useState<Anchor>()
  const [state, setState] = useState<AnchorState>('idle')
  const [push, setPush] = useState<PushURLs>()
  const [failure, setFailure] = useState('')
  const [notice, setNotice] = useState('')
  const crashed = useRef(false)
  const latest = useRef<Anchor | undefined>(undefined) // to let go of with the page

  const open = () => {
    const a = new Anchor({ token: p.token })
    a.on('state', setState)
    a.on('push', setPush)
    a.on('connectionState', p.phase)
    a.on('notice', n => setNotice(n.message))
    a.on('stopped', why => { if (why.code === 'unauthorized') p.refused(why.message) })
    latest.current = a
    setAnchor(a)
    setPush(undefined)
    return a
  }
  const say = (act: Promise<unknown>) => act.then(() => setFailure(''), (e: OnairError) => {
    if (e.code !== 'stopped') setFailure(e.message) // else it was us
  })
  useEffect(() => {
    void say(open().resume()) // what was on air before a reload
    return () => latest.current!.close()
  }, [])

  const crash = () => {
    anchor!.close() // its state is lost with it, the session is kept for the tab
    crashed.current = true
    p.phase('stopped')
    setState('idle')
  }
  const comeBack = () => {
    crashed.current = false
    void say(open().resume())
  }
  const on = state === 'live' || state === 'interrupted'
  const ending = anchor?.ending
  return (
    <>
      <section class="card stack" aria-live="polite">
        <p class={'broadcast ' + state}>
          {crashed.current ? t('crashed') : state === 'ended' ? t('broadcast ended', { why: ending!.reason }) : t(`broadcast ${state}`)}
          {on && <span class="mono"> {anchor!.stream?.code}</span>}
        </p>
        {state === 'ended' && ending?.summary && (
          <p class="quiet">{t('summary', { time: duration(ending.summary.duration_ms), viewers: number(ending.summary.peak_viewers), likes: number(ending.summary.likes) })}</p>
        )}
        {notice && <p class="quiet">{notice}</p>}
        {failure && <p class="error" role="alert">{failure}</p>}
        {crashed.current && <div><button type="button" class="first" onClick={comeBack}>{t('resume')}</button></div>}
        {on && (
          <div class="row">
            <button type="button" class="first" onClick={() => void say(anchor!.stop())}>{t('stop')}</button>
            <button type="button" title={t('crash says')} onClick={crash}>{t('crash')}</button>
          </div>
        )}
      </section>
      {!crashed.current && (
        <Details
          key={anchor?.session} on={on} first={anchor?.stream} busy={state === 'starting' || state === 'interrupted'}
          send={body => void say(on ? anchor!.update({ ...body, cover: body.cover ?? null, tags: body.tags ?? null }) : anchor!.start(body))}
        />
      )}
      {on && push && <PushTo push={push} refresh={() => void say(anchor!.refreshPush())} />}
      {anchor && !crashed.current && <Heartbeat anchor={anchor} />}
    </>
  )
}

/** What viewers are to see. */
function Details(p: { on: boolean, busy: boolean, first?: { title: string, cover?: string, tags?: string[] }, send: (body: StartOptions) => void }) {
  const [title, setTitle] = useState(p.first?.title ?? '')
  const [cover, setCover] = useState(p.first?.cover ?? '')
  const [tags, setTags] = useState(p.first?.tags?.join(', ') ?? '')
  const send = (event: Event) => {
    event.preventDefault()
    const all = tags.split(/[,，]/).map(s => s.trim()).filter(Boolean)
    p.send({ title: title.trim(), cover: cover.trim() || undefined, tags: all.length ? all : undefined })
  }
  return (
    <form class="card stack" onSubmit={send}>
      <label>{t('title')}<input required maxLength={256} value={title} onInput={e => setTitle(e.currentTarget.value)} /></label>
      <label>{t('cover')}<input type="url" pattern="https://.*" maxLength={1024} value={cover} onInput={e => setCover(e.currentTarget.value)} /></label>
      <label>{t('tags')}<input value={tags} onInput={e => setTags(e.currentTarget.value)} /></label>
      <div><button type="submit" class={p.on ? '' : 'first'} disabled={p.busy}>{p.on ? t('update') : t('go live')}</button></div>
    </form>
  )
}

/** Where the encoder is to send the picture. */
function PushTo(p: { push: PushURLs, refresh: () => void }) {
  return (
    <section class="card stack" aria-label={t('push here')}>
      <h2>{t('push here')}</h2>
      <Copy label="RTMP" text={p.push.rtmp} />
      <Copy label={`OBS: ${t('server')}`} text={p.push.server} />
      <Copy label={`OBS: ${t('stream key')}`} text={p.push.key} />
      {p.push.srt && <Copy label="SRT" text={p.push.srt} />}
      <div class="row">
        <QR text={p.push.rtmp} label={t('qr')} />
        <div class="stack">
          <span class="quiet">{t('valid until', { at: time(p.push.expires_at) })}</span>
          <div><button type="button" onClick={p.refresh}>{t('fresh url')}</button></div>
        </div>
      </div>
    </section>
  )
}

render(<Studio />, document.getElementById('app')!)
