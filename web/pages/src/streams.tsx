import { useState } from 'preact/hooks'
import { duration, moment, number, t, time } from './i18n'
import type { Operations, Session } from './operations'
import { usePolled } from './polled'
import { Why } from './why'

const states = ['on air', 'starting', 'live', 'away', 'ended'] as const

/** Sessions by their state; each tells why it is in it. */
export function Streams(p: { operations: Operations }) {
  const [state, setState] = useState<typeof states[number]>('on air')
  const [anchor, setAnchor] = useState('')
  const [pages, setPages] = useState(1)
  const [chosen, setChosen] = useState<Session>()
  const over = state === 'ended'
  const { value, failure, again } = usePolled(async signal => {
    const sessions: Session[] = []
    let cursor: string | undefined
    for (let page = 0; page < pages && (page === 0 || cursor); page++) {
      const got = await p.operations.sessions({ state: over ? 'ended' : 'live', anchor: anchor.trim(), cursor }, signal)
      sessions.push(...got.sessions)
      cursor = got.cursor
    }
    return { sessions, over, more: cursor !== undefined }
  }, 3_000, [p.operations, over, anchor.trim(), pages])
  const fresh = value?.over === over ? value : undefined // not those of the other state
  const shown = fresh?.sessions.filter(s => state === 'on air' || s.state === state)
  return (
    <div class="stack">
      <div class="row end">
        <label>{t('state')}
          <select value={state} onChange={e => { setState(e.currentTarget.value as typeof state); setPages(1) }}>
            {states.map(s => <option value={s}>{t(`sessions ${s}`)}</option>)}
          </select>
        </label>
        <label>{t('anchor')}
          <input type="search" value={anchor} autocomplete="off" spellcheck={false} onInput={e => { setAnchor(e.currentTarget.value); setPages(1) }} />
        </label>
        <span class="quiet" role="status">{shown && t(fresh!.more ? 'shown so far' : 'shown', { n: shown.length })}</span>
      </div>
      {failure && <p class="error" role="alert">{failure}</p>}
      {shown?.length === 0 && <p class="quiet">{t(fresh!.more ? 'none so far' : 'none')}</p>}
      {shown && shown.length > 0 && (
        <div class="card scroll">
          <table class="sessions">
            <thead>
              <tr>
                <th scope="col">{t('stream')}</th>
                <th scope="col">{t('state')}</th>
                <th scope="col" class="count">{over ? t('peak') : t('watching')}</th>
                <th scope="col" class="count wide">{t('by likes')}</th>
                <th scope="col" class="wide">{over ? t('ended at') : t('started at')}</th>
                <th scope="col" class="wide">{t('lasted')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(s => (
                <tr key={s.session}>
                  <td>
                    <button type="button" class="plain" onClick={() => setChosen(s)}>{s.title || s.code}</button>
                    <span class="quiet mono">{s.code} · {s.anchor}</span>
                  </td>
                  <td>
                    <span class={'badge ' + s.state}>{t(`sessions ${s.state}`)}</span>
                    {(s.away || s.reason) && <span class="quiet mono term">{s.away ?? s.reason}{s.by && ` (${s.by})`}</span>}
                    {!over && !s.listed && <span class="quiet">{t('unlisted')}</span>}
                  </td>
                  <td class="count">{number(over ? s.peak_viewers : s.viewers)}</td>
                  <td class="count wide">{number(s.likes)}</td>
                  <td class="wide term"><time title={moment(s.ended_at ?? s.started_at)}>{time(s.ended_at ?? s.started_at)}</time></td>
                  <td class="wide">{duration(s.duration_ms ?? Math.max(0, Date.now() - s.started_at))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {fresh?.more && <div><button type="button" onClick={() => setPages(n => n + 1)}>{t('more')}</button></div>}
      {chosen && <Why key={chosen.session} operations={p.operations} chosen={chosen} changed={again} close={() => setChosen(undefined)} />}
    </div>
  )
}
