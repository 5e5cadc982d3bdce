import { useEffect, useState } from 'preact/hooks'
import type { Anchor } from 'onair'
import { t } from './i18n'

interface Beat {
  n: number
  state: 'sent' | 'acknowledged' | 'held' | 'timeout'
  roundTripMs?: number
}

const maxBeats = 30

/** The last heartbeats of a broadcast, and the time until the next one. */
export function Heartbeat(p: { anchor: Anchor }) {
  const beats = useBeats(p.anchor)
  const [dueAt, setDueAt] = useState(0)
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const removeListener = p.anchor.on('nextBeat', setDueAt)
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => {
      removeListener()
      clearInterval(timer)
    }
  }, [p.anchor])
  const last = beats.at(-1)
  const isLive = p.anchor.state === 'live'
  const secondsLeft = Math.max(0, Math.ceil((dueAt - now) / 1000))
  const status = last && {
    sent: '', acknowledged: t('beat acknowledged', { ms: last.roundTripMs ?? 0 }), held: t('beat held'), timeout: t('beat timeout'),
  }[last.state]
  return (
    <section class="card stack" aria-label={t('heartbeat')}>
      <h2>{t('heartbeat')}</h2>
      <ol class="beats">
        {beats.map(b => (
          <li key={b.n} class={b.state} title={`${t('beat sent', { n: b.n })} ${b.roundTripMs === undefined ? '' : t('beat acknowledged', { ms: b.roundTripMs })}`}>
            <span class="hidden">{b.n} {b.state}</span>
          </li>
        ))}
      </ol>
      <p class="quiet">
        {last && t('beat sent', { n: last.n })} {status && `· ${status}`} {isLive && dueAt > 0 && `· ${t('next beat', { s: secondsLeft })}`}
      </p>
      <progress max={p.anchor.intervalMs} value={isLive ? Math.max(0, p.anchor.intervalMs - (dueAt - now)) : 0} aria-label={t('next beat', { s: secondsLeft })} />
    </section>
  )
}

function useBeats(anchor: Anchor): Beat[] {
  const [beats, setBeats] = useState<Beat[]>([])
  useEffect(() => {
    const updateBeat = (n: number, members: Partial<Beat>) => setBeats(all => all.map(b => b.n === n ? { ...b, ...members } : b))
    const removers = [
      anchor.on('beat', ({ n }) => setBeats(all => [...all.slice(1 - maxBeats), { n, state: 'sent' }])),
      anchor.on('ack', ({ n, held, roundTripMs }) => updateBeat(n, { state: held ? 'held' : 'acknowledged', roundTripMs })),
      anchor.on('ackTimeout', ({ n }) => updateBeat(n, { state: 'timeout' })),
    ]
    return () => removers.forEach(remove => remove())
  }, [anchor])
  return beats
}
