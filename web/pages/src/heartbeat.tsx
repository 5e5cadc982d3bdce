import { useEffect, useState } from 'preact/hooks'
import type { Anchor } from 'onair'
import { t } from './i18n'

/** What became of one beat. */
interface Beat {
  n: number
  fate: 'sent' | 'heard' | 'held' | 'missed'
  ms?: number
}

const shown = 30

/** The heartbeats of a broadcast: each, what became of it, and when the next one is due. */
export function Heartbeat(p: { anchor: Anchor }) {
  const [beats, setBeats] = useState<Beat[]>([])
  const [due, setDue] = useState(0)
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const fate = (n: number, change: Partial<Beat>) => setBeats(all => all.map(b => b.n === n ? { ...b, ...change } : b))
    const offs = [
      p.anchor.on('beat', ({ n }) => setBeats(all => [...all.slice(1 - shown), { n, fate: 'sent' }])),
      p.anchor.on('ack', a => fate(a.n, { fate: a.held ? 'held' : 'heard', ms: a.roundTripMs })),
      p.anchor.on('ackTimeout', m => fate(m.n, { fate: 'missed' })),
      p.anchor.on('nextBeat', setDue),
    ]
    const clock = setInterval(() => setNow(Date.now()), 250)
    return () => {
      offs.forEach(off => off())
      clearInterval(clock)
    }
  }, [p.anchor])
  const last = beats.at(-1)
  const left = Math.max(0, Math.ceil((due - now) / 1000))
  const says = !last ? '' : last.fate === 'heard' ? t('beat heard', { ms: last.ms! }) : last.fate === 'held' ? t('beat held') : last.fate === 'missed' ? t('beat missed') : ''
  return (
    <section class="card stack" aria-label={t('heartbeat')}>
      <h2>{t('heartbeat')}</h2>
      <ol class="beats">
        {beats.map(b => <li key={b.n} class={b.fate} title={`${t('beat sent', { n: b.n })} ${b.ms === undefined ? '' : t('beat heard', { ms: b.ms })}`}><span class="hidden">{b.n} {b.fate}</span></li>)}
      </ol>
      <p class="quiet">
        {last && t('beat sent', { n: last.n })} {says && `· ${says}`} {p.anchor.state === 'live' && due > 0 && `· ${t('next beat', { s: left })}`}
      </p>
      <progress max={p.anchor.intervalMs} value={p.anchor.state === 'live' ? Math.max(0, p.anchor.intervalMs - (due - now)) : 0} aria-label={t('next beat', { s: left })} />
    </section>
  )
}
