import { useEffect, useRef, useState } from 'preact/hooks'
import type { AdminClient, Evidence, ExplainedSession, Session } from './adminclient'
import { BanDialog } from './bandialog'
import { ConfirmDialog } from './confirmdialog'
import { compactNumber, dateTime, duration } from './format'
import { t, type TextKey } from './i18n'
import { usePolling } from './usepolling'

/** The rules that have a text in both languages. Others are shown in the server's words. */
const ruleTexts: Record<string, TextKey> = {
  nothing_heard: 'rule nothing_heard', heard: 'rule heard', missed_beat: 'rule missed_beat', media_ended: 'rule media_ended',
  stopped: 'rule stopped', missed_beats: 'rule missed_beats', taken_over: 'rule taken_over', kicked: 'rule kicked',
  banned: 'rule banned', stream_lost: 'rule stream_lost',
}

/** Explains the state of a session by its evidence, and offers to kick or ban its anchor. */
export function SessionDialog(p: { admin: AdminClient, chosen: Session, onChange: () => void, onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [confirming, setConfirming] = useState<'kick' | 'ban'>()
  const { code, session } = p.chosen
  const { value: explained, error, reload } = usePolling(signal => p.admin.explainSession(code, session, signal), 2_000, [p.admin, code, session])
  useEffect(() => dialog.current!.showModal(), [])
  const s = explained ?? p.chosen
  const onDone = () => {
    reload()
    p.onChange()
  }
  const closeConfirmation = () => setConfirming(undefined)
  return (
    <dialog ref={dialog} onClose={p.onClose} aria-labelledby="session-title">
      <div class="text">
        <h2 id="session-title">{s.title || s.code}</h2>
        <p class="row"><span class={'badge ' + s.state}>{t(`sessions ${s.state}`)}</span> <span class="quiet mono">{s.away ?? s.reason}</span></p>
        {error && <p class="error" role="alert">{error}</p>}
        {explained && <Rule session={explained} />}
        <SessionFacts session={s} sources={explained?.sources} />
        <h3>{t('evidence')}</h3>
        {explained?.evidence.length === 0 && <p class="quiet">{t('no evidence')}</p>}
        {explained && explained.evidence.length > 0 && <EvidenceTable evidence={explained.evidence} />}
        <div class="row">
          {s.state !== 'ended' && <button type="button" class="first" onClick={() => setConfirming('kick')}>{t('kick')}</button>}
          <button type="button" onClick={() => setConfirming('ban')}>{t('ban')}</button>
          <button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button>
        </div>
      </div>
      {confirming === 'kick' && (
        <ConfirmDialog
          title={t('kick')} text={t('kick text', { title: s.title || s.code, anchor: s.anchor })} action={() => p.admin.kickStream(code)}
          onDone={onDone} onClose={closeConfirmation}
        />
      )}
      {confirming === 'ban' && <BanDialog admin={p.admin} anchor={s.anchor} onDone={onDone} onClose={closeConfirmation} />}
    </dialog>
  )
}

function Rule({ session: s }: { session: ExplainedSession }) {
  const text = ruleTexts[s.rule]
  return (
    <p>
      <strong>{text ? t(text) : s.explanation}</strong> <span class="quiet mono">{s.rule}</span>
      {s.ends_in_ms !== undefined && <><br />{t('ends in', { time: duration(s.ends_in_ms) })}</>}
    </p>
  )
}

function SessionFacts({ session: s, sources }: { session: Session, sources?: string[] }) {
  return (
    <dl class="facts">
      <dt>{t('live code')}</dt><dd class="mono">{s.code}</dd>
      <dt>{t('anchor')}</dt><dd class="mono">{s.anchor}</dd>
      <dt>{t('session')}</dt><dd class="mono">{s.session}</dd>
      <dt>{t('list')}</dt><dd>{s.list}{s.state !== 'ended' && !s.listed && ` (${t('unlisted')})`}</dd>
      <dt>{t('started at')}</dt><dd>{dateTime(s.started_at)}</dd>
      {s.ended_at && <><dt>{t('ended at')}</dt><dd>{dateTime(s.ended_at)}</dd></>}
      {s.by && <><dt>{t('by')}</dt><dd class="mono">{s.by}</dd></>}
      <dt>{t('viewer count')}</dt><dd>{t('current and peak', { n: compactNumber(s.viewers), peak: compactNumber(s.peak_viewers) })}</dd>
      {sources && <><dt>{t('sources')}</dt><dd class="mono">{sources.join(', ')}</dd></>}
    </dl>
  )
}

function EvidenceTable({ evidence }: { evidence: Evidence[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr><th scope="col">{t('source')}</th><th scope="col">{t('signal')}</th><th scope="col">{t('age')}</th><th scope="col" class="wide">{t('time')}</th><th scope="col">{t('detail')}</th></tr>
        </thead>
        <tbody>
          {evidence.map(e => (
            <tr>
              <td class="mono term">{e.source}</td>
              <td class="mono term">{e.sign}</td>
              <td>{duration(e.age_ms)}</td>
              <td class="wide term">{dateTime(e.at)}</td>
              <td>{e.detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
