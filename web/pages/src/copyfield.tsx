import { useRef, useState } from 'preact/hooks'
import { t } from './i18n'

/** A read-only text with a button that copies it. */
export function CopyField(p: { label: string, text: string }) {
  const [isCopied, setIsCopied] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const copy = () => {
    if (!navigator.clipboard) return field.current!.select() // plain HTTP has no clipboard
    void navigator.clipboard.writeText(p.text).then(() => {
      setIsCopied(true)
      setTimeout(() => setIsCopied(false), 2_000)
    })
  }
  return (
    <label>{p.label}
      <span class="row">
        <input ref={field} class="mono grow" readOnly value={p.text} onFocus={e => e.currentTarget.select()} />
        <button type="button" onClick={copy}>{t('copy')}<span class="hidden"> {p.label}</span></button>
        <span class="quiet" role="status">{isCopied ? t('copied') : ''}</span>
      </span>
    </label>
  )
}
