import { t, type Word } from './i18n'

const hour = 3_600_000
const spans: readonly (readonly [Word, number])[] = [['1 hour', hour], ['1 day', 24 * hour], ['7 days', 168 * hour], ['30 days', 720 * hour]]

/** A time to come, or none: `never` says what none means. It is what a `datetime-local` holds. */
export function Until(p: { label: string, never: Word, value: string, change: (value: string) => void }) {
  return (
    <div class="stack tight">
      <label>{p.label}
        <input type="datetime-local" value={p.value} min={local(Date.now())} onInput={e => p.change(e.currentTarget.value)} />
      </label>
      <div class="row" role="group" aria-label={p.label}>
        {spans.map(([name, span]) => <button type="button" class="small" onClick={() => p.change(local(Date.now() + span))}>{t(name)}</button>)}
        <button type="button" class="small" aria-pressed={p.value === ''} onClick={() => p.change('')}>{t(p.never)}</button>
      </div>
    </div>
  )
}

/** Its Unix milliseconds. */
export function instant(value: string): number | undefined {
  return value ? new Date(value).getTime() : undefined
}

/** Unix milliseconds as a `datetime-local` holds them. */
export function local(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
