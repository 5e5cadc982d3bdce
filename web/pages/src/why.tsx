import { useEffect, useRef, useState } from 'preact/hooks'
import { BanAnchor } from './ban'
import { Confirm } from './confirm'
import { duration, moment, number, t, type Word } from './i18n'
import type { Operations, Session } from './operations'
import { usePolled } from './polled'

/** The rules that are known here in both languages; others say it in the server's words. */
const rules: Record<string, Word> = {
  nothing_heard: 'rule nothing_heard', heard: 'rule heard', missed_beat: 'rule missed_beat', media_ended: 'rule media_ended',
  stopped: 'rule stopped', missed_beats: 'rule missed_beats', taken_over: 'rule taken_over', kicked: 'rule kicked',
  banned: 'rule banned', stream_lost: 'rule stream_lost',
}

/** Why a session is in its state, and what can be done about it. */
export function Why(p: { operations: Operations, chosen: Session, changed: () => void, close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [asking, setAsking] = useState<'kick' | 'ban'>()
  const { code, session } = p.chosen
  const { value: account, failure, again } = usePolled(signal => p.operations.why(code, session, signal), 2_000, [p.operations, code, session])
  useEffect(() => dialog.current!.showModal(), [])
  const s = account ?? p.chosen
  const done = () => {
    again()
    p.changed()
  }
  return (
    <dialog ref={dialog} onClose={p.close} aria-labelledby="why-of">
      <div class="text">
        <h2 id="why-of">{s.title || s.code}</h2>
        <p class="row"><span class={'badge ' + s.state}>{t(`sessions ${s.state}`)}</span> <span class="quiet mono">{s.away ?? s.reason}</span></p>
        {failure && <p class="error" role="alert">{failure}</p>}
        {account && (
          <p>
            <strong>{rules[account.rule] ? t(rules[account.rule]!) : account.explanation}</strong> <span class="quiet mono">{account.rule}</span>
            {account.ends_in_ms !== undefined && <><br />{t('ends in', { time: duration(account.ends_in_ms) })}</>}
          </p>
        )}
        <dl class="facts">
          <dt>{t('live code')}</dt><dd class="mono">{s.code}</dd>
          <dt>{t('anchor')}</dt><dd class="mono">{s.anchor}</dd>
          <dt>{t('session')}</dt><dd class="mono">{s.session}</dd>
          <dt>{t('list')}</dt><dd>{s.list}{s.state !== 'ended' && !s.listed && ` (${t('unlisted')})`}</dd>
          <dt>{t('started at')}</dt><dd>{moment(s.started_at)}</dd>
          {s.ended_at && <><dt>{t('ended at')}</dt><dd>{moment(s.ended_at)}</dd></>}
          {s.by && <><dt>{t('by')}</dt><dd class="mono">{s.by}</dd></>}
          <dt>{t('by viewers')}</dt><dd>{t('at most', { n: number(s.viewers), peak: number(s.peak_viewers) })}</dd>
          {account?.sources && <><dt>{t('sources')}</dt><dd class="mono">{account.sources.join(', ')}</dd></>}
        </dl>
        <h3>{t('evidence')}</h3>
        {account?.evidence.length === 0 && <p class="quiet">{t('no evidence')}</p>}
        {account && account.evidence.length > 0 && (
          <div class="scroll">
            <table>
              <thead>
                <tr><th scope="col">{t('source')}</th><th scope="col">{t('sign')}</th><th scope="col">{t('age')}</th><th scope="col" class="wide">{t('time')}</th><th scope="col">{t('detail')}</th></tr>
              </thead>
              <tbody>
                {account.evidence.map(e => (
                  <tr>
                    <td class="mono term">{e.source}</td>
                    <td class="mono term">{e.sign}</td>
                    <td>{duration(e.age_ms)}</td>
                    <td class="wide term">{moment(e.at)}</td>
                    <td>{e.detail}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <div class="row">
          {s.state !== 'ended' && <button type="button" class="first" onClick={() => setAsking('kick')}>{t('kick')}</button>}
          <button type="button" onClick={() => setAsking('ban')}>{t('ban')}</button>
          <button type="button" onClick={() => dialog.current!.close()}>{t('close')}</button>
        </div>
      </div>
      {asking === 'kick' && (
        <Confirm
          title={t('kick')} text={t('kick says', { title: s.title || s.code, anchor: s.anchor })} act={() => p.operations.kick(code)}
          done={done} close={() => setAsking(undefined)}
        />
      )}
      {asking === 'ban' && <BanAnchor operations={p.operations} anchor={s.anchor} done={done} close={() => setAsking(undefined)} />}
    </dialog>
  )
}
