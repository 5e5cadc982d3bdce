import { useState } from 'preact/hooks'
import { t } from './i18n'

/** A text that is to be taken elsewhere. */
export function Copy(p: { label: string, text: string }) {
  const [done, setDone] = useState(false)
  const copy = () => void navigator.clipboard.writeText(p.text).then(() => {
    setDone(true)
    setTimeout(() => setDone(false), 2_000)
  })
  return (
    <label>{p.label}
      <span class="row">
        <input class="mono grow" readOnly value={p.text} onFocus={e => e.currentTarget.select()} />
        <button type="button" onClick={copy}>{t('copy')}<span class="hidden"> {p.label}</span></button>
        <span class="quiet" role="status">{done ? t('copied') : ''}</span>
      </span>
    </label>
  )
}
