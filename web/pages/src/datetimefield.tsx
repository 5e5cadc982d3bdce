import { t, type TextKey } from './i18n'

const hour = 3_600_000
const presets: readonly (readonly [TextKey, number])[] = [['1 hour', hour], ['1 day', 24 * hour], ['7 days', 168 * hour], ['30 days', 720 * hour]]

/** A field for a future time, with presets. Its value is that of a `datetime-local` input; `emptyLabel` names the empty value. */
export function DateTimeField(p: { label: string, emptyLabel: TextKey, value: string, onChange: (value: string) => void }) {
  return (
    <div class="stack tight">
      <label>{p.label}
        <input type="datetime-local" value={p.value} min={toFieldValue(Date.now())} onInput={e => p.onChange(e.currentTarget.value)} />
      </label>
      <div class="row" role="group" aria-label={p.label}>
        {presets.map(([name, ms]) => <button type="button" class="small" onClick={() => p.onChange(toFieldValue(Date.now() + ms))}>{t(name)}</button>)}
        <button type="button" class="small" aria-pressed={p.value === ''} onClick={() => p.onChange('')}>{t(p.emptyLabel)}</button>
      </div>
    </div>
  )
}

/** Unix milliseconds of a field's value; undefined for the empty value. */
export function toUnixMs(value: string): number | undefined {
  return value ? new Date(value).getTime() : undefined
}

/** The field's value of a time in Unix milliseconds. */
export function toFieldValue(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
