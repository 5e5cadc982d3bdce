import type { ComponentChildren } from 'preact'
import type { ConnectionState } from 'onair'
import { switchLanguage, t } from './i18n'

/** The header of all pages: links, the state of the connection, and the language. */
export function PageHeader(p: { page: 'wall' | 'studio' | 'console', connectionState: ConnectionState, children?: ComponentChildren }) {
  const pages = [['wall', '/'], ['studio', '/studio'], ['console', '/console']] as const
  return (
    <header class="top">
      <strong>onair</strong>
      <nav aria-label="onair">
        {pages.map(([name, path]) => <a href={path} aria-current={name === p.page ? 'page' : undefined}>{t(name)}</a>)}
      </nav>
      {p.children}
      <span class={'push connection ' + p.connectionState} role="status">{t(`connection ${p.connectionState}`)}</span>
      <button type="button" onClick={switchLanguage} lang={t('language') === 'English' ? 'en' : 'zh-CN'}>{t('language')}</button>
    </header>
  )
}
