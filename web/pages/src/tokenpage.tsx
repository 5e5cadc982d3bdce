import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { ConnectionState } from 'onair'
import { t } from './i18n'
import { PageHeader } from './pageheader'
import { loadToken, storeToken } from './token'
import { TokenForm } from './tokenform'

/** Props of the content of a page that has a token. */
export interface TokenProps {
  token: string
  onConnectionState: (state: ConnectionState) => void
  onTokenRefused: (error: string) => void
}

interface TokenPageProps {
  page: 'studio' | 'console'
  role: string
  class: string
  /** Shown below the form for the token. */
  hint?: ComponentChildren
  content: (p: TokenProps) => ComponentChildren
}

/** A page whose content needs the token of a role. Without one it shows a form for the token. */
export function TokenPage(p: TokenPageProps) {
  const [token, setToken] = useState(loadToken(p.role))
  const [tokenError, setTokenError] = useState('')
  const [connectionState, setConnectionState] = useState<ConnectionState>('idle')
  const forgetToken = (error: string) => {
    storeToken(p.role, undefined)
    setTokenError(error)
    setToken(undefined)
    setConnectionState('idle')
  }
  const Content = p.content
  return (
    <>
      <PageHeader page={p.page} connectionState={connectionState}>
        {token && <button type="button" onClick={() => forgetToken('')}>{t('forget token')}</button>}
      </PageHeader>
      <main class={p.class}>
        <h1 class="hidden">{t(p.page)}</h1>
        {token
          ? <Content key={token} token={token} onConnectionState={setConnectionState} onTokenRefused={forgetToken} />
          : <><TokenForm role={p.role} error={tokenError} onToken={setToken} />{p.hint}</>}
      </main>
    </>
  )
}
