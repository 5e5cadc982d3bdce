import { moment, t } from './i18n'
import type { Operations } from './operations'
import { usePolled } from './polled'

/** What could not be told to the app's back end, or done at the provider, and was given up. */
export function DeadLetters(p: { operations: Operations }) {
  const { value, failure } = usePolled(signal => p.operations.deadLetters(signal), 10_000, [p.operations])
  const letters = value?.dead_letters.toReversed() // the last first
  return (
    <div class="stack">
      <p class="quiet">{t('dead letters say')}</p>
      {failure && <p class="error" role="alert">{failure}</p>}
      {letters?.length === 0 && <p>{t('no dead letters')}</p>}
      {letters && letters.length > 0 && (
        <div class="card scroll">
          <table>
            <thead><tr><th scope="col">{t('time')}</th><th scope="col">{t('event')}</th><th scope="col">{t('subject')}</th><th scope="col">{t('why')}</th></tr></thead>
            <tbody>
              {letters.map(l => (
                <tr key={l.id}>
                  <td class="term">{moment(l.at)}</td>
                  <td class="mono term">{l.event}</td>
                  <td class="mono term">{l.subject}</td>
                  <td>{l.why}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
