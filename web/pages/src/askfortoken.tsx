import { useState } from 'preact/hooks'
import { t } from './i18n'
import { keepToken } from './token'

/** Asks for the token of a role, which is kept for this tab. */
export function AskForToken(p: { role: string, refused?: string, use: (token: string) => void }) {
  const [token, setToken] = useState('')
  return (
    <form class="card stack" onSubmit={e => { e.preventDefault(); keepToken(p.role, token.trim()); p.use(token.trim()) }}>
      <p>{t('token needed')}</p>
      {p.refused && <p class="error" role="alert">{p.refused}</p>}
      <label>{t('token')} ({p.role})
        <textarea class="mono" rows={3} required autocomplete="off" spellcheck={false} value={token} onInput={e => setToken(e.currentTarget.value)} />
      </label>
      <div><button type="submit" class="first">{t('use token')}</button></div>
    </form>
  )
}
