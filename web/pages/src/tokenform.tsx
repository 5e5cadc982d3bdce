import { useState } from 'preact/hooks'
import { t } from './i18n'
import { storeToken } from './token'

/** The form for the token of a role. It stores the token for this tab. */
export function TokenForm(p: { role: string, error?: string, onToken: (token: string) => void }) {
  const [text, setText] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    storeToken(p.role, text.trim())
    p.onToken(text.trim())
  }
  return (
    <form class="card stack" onSubmit={submit}>
      <p>{t('token needed')}</p>
      {p.error && <p class="error" role="alert">{p.error}</p>}
      <label>{t('token')} ({p.role})
        <textarea class="mono" rows={3} required autocomplete="off" spellcheck={false} value={text} onInput={e => setText(e.currentTarget.value)} />
      </label>
      <div><button type="submit" class="first">{t('use token')}</button></div>
    </form>
  )
}
