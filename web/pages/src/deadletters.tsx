import type { AdminClient } from './adminclient'
import { dateTime } from './format'
import { t } from './i18n'
import { usePolling } from './usepolling'

/** The console's section with the events whose delivery has failed permanently, the last one first. */
export function DeadLetters(p: { admin: AdminClient }) {
  const { value, error } = usePolling(signal => p.admin.listDeadLetters(signal), 10_000, [p.admin])
  const letters = value?.dead_letters.toReversed()
  return (
    <div class="stack">
      <p class="quiet">{t('dead letters text')}</p>
      {error && <p class="error" role="alert">{error}</p>}
      {letters?.length === 0 && <p>{t('no dead letters')}</p>}
      {letters && letters.length > 0 && (
        <div class="card scroll">
          <table>
            <thead><tr><th scope="col">{t('time')}</th><th scope="col">{t('event')}</th><th scope="col">{t('subject')}</th><th scope="col">{t('failure')}</th></tr></thead>
            <tbody>
              {letters.map(l => (
                <tr key={l.id}>
                  <td class="term">{dateTime(l.at)}</td>
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
