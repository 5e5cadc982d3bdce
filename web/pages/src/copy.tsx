import { useRef, useState } from 'preact/hooks'
import { t } from './i18n'

/** A text that is to be taken elsewhere. */
export function Copy(p: { label: string, text: string }) {
  const [done, setDone] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const copy = () => {
    if (!navigator.clipboard) return field.current!.select() // on plain HTTP: by hand
    void navigator.clipboard.writeText(p.text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 2_000)
    })
  }
  return (
    <label>{p.label}
      <span class="row">
        <input ref={field} class="mono grow" readOnly value={p.text} onFocus={e => e.currentTarget.select()} />
        <button type="button" onClick={copy}>{t('copy')}<span class="hidden"> {p.label}</span></button>
        <span class="quiet" role="status">{done ? t('copied') : ''}</span>
      </span>
    </label>
  )
}
