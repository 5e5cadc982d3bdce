import { useState } from 'preact/hooks'
import type { AdminClient, Session } from './adminclient'
import { compactNumber, dateTime, duration, shortDateTime } from './format'
import { t } from './i18n'
import { SessionDialog } from './sessiondialog'
import { usePolling } from './usepolling'

const states = ['on air', 'starting', 'live', 'away', 'ended'] as const

/** The console's section with the sessions of one state. Each opens a dialog that explains its state. */
export function Sessions(p: { admin: AdminClient }) {
  const [state, setState] = useState<typeof states[number]>('on air')
  const [anchor, setAnchor] = useState('')
  const [pages, setPages] = useState(1)
  const [chosen, setChosen] = useState<Session>()
  const hasEnded = state === 'ended'
  const { value, error, reload } = usePolling(async signal => {
    const query = { state: hasEnded ? 'ended' as const : 'live' as const, anchor: anchor.trim() }
    return { hasEnded, ...await loadPages(p.admin, query, pages, signal) }
  }, 3_000, [p.admin, hasEnded, anchor.trim(), pages])
  const loaded = value?.hasEnded === hasEnded ? value : undefined // else it is the answer to the previous query
  const shown = loaded?.sessions.filter(s => state === 'on air' || s.state === state)
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
        <span class="quiet" role="status">{shown && t(loaded!.hasMore ? 'session count so far' : 'session count', { n: shown.length })}</span>
      </div>
      {error && <p class="error" role="alert">{error}</p>}
      {shown?.length === 0 && <p class="quiet">{t(loaded!.hasMore ? 'no sessions so far' : 'no sessions')}</p>}
      {shown && shown.length > 0 && <SessionTable sessions={shown} hasEnded={hasEnded} onOpen={setChosen} />}
      {loaded?.hasMore && <div><button type="button" onClick={() => setPages(n => n + 1)}>{t('more')}</button></div>}
      {chosen && <SessionDialog key={chosen.session} admin={p.admin} chosen={chosen} onChange={reload} onClose={() => setChosen(undefined)} />}
    </div>
  )
}

/** Loads the first pages of a query. */
async function loadPages(admin: AdminClient, query: { state: 'live' | 'ended', anchor: string }, pages: number, signal: AbortSignal): Promise<{ sessions: Session[], hasMore: boolean }> {
  const sessions: Session[] = []
  let cursor: string | undefined
  for (let i = 0; i < pages && (i === 0 || cursor); i++) {
    const page = await admin.listSessions({ ...query, cursor }, signal)
    sessions.push(...page.sessions)
    cursor = page.cursor
  }
  return { sessions, hasMore: cursor !== undefined }
}

function SessionTable(p: { sessions: Session[], hasEnded: boolean, onOpen: (session: Session) => void }) {
  return (
    <div class="card scroll">
      <table class="sessions">
        <thead>
          <tr>
            <th scope="col">{t('stream')}</th>
            <th scope="col">{t('state')}</th>
            <th scope="col" class="count">{p.hasEnded ? t('peak') : t('viewer count')}</th>
            <th scope="col" class="count wide">{t('by likes')}</th>
            <th scope="col" class="wide">{p.hasEnded ? t('ended at') : t('started at')}</th>
            <th scope="col" class="wide">{t('duration')}</th>
          </tr>
        </thead>
        <tbody>
          {p.sessions.map(s => (
            <tr key={s.session}>
              <td>
                <button type="button" class="plain" onClick={() => p.onOpen(s)}>{s.title || s.code}</button>
                <span class="quiet mono">{s.code} · {s.anchor}</span>
              </td>
              <td>
                <span class={'badge ' + s.state}>{t(`sessions ${s.state}`)}</span>
                {(s.away || s.reason) && <span class="quiet mono term">{s.away ?? s.reason}{s.by && ` (${s.by})`}</span>}
                {!p.hasEnded && !s.listed && <span class="quiet">{t('unlisted')}</span>}
              </td>
              <td class="count">{compactNumber(p.hasEnded ? s.peak_viewers : s.viewers)}</td>
              <td class="count wide">{compactNumber(s.likes)}</td>
              <td class="wide term"><time title={dateTime(s.ended_at ?? s.started_at)}>{shortDateTime(s.ended_at ?? s.started_at)}</time></td>
              <td class="wide">{duration(s.duration_ms ?? Math.max(0, Date.now() - s.started_at))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
