import type { ComponentChildren } from 'preact'
import type { ConnectionState } from 'onair'
import { switchLanguage, t } from './i18n'

/** What all pages have at their top: where one is, and whether the server is there. */
export function Top(p: { page: 'wall' | 'studio' | 'console', phase: ConnectionState, children?: ComponentChildren }) {
  const pages = [['wall', '/'], ['studio', '/studio'], ['console', '/console']] as const
  return (
    <header class="top">
      <strong>onair</strong>
      <nav aria-label="onair">
        {pages.map(([name, at]) => <a href={at} aria-current={name === p.page ? 'page' : undefined}>{t(name)}</a>)}
      </nav>
      {p.children}
      <span class={'push phase ' + p.phase} role="status">{t(`phase ${p.phase}`)}</span>
      <button type="button" onClick={switchLanguage} lang={t('language') === 'English' ? 'en' : 'zh-CN'}>{t('language')}</button>
    </header>
  )
}
