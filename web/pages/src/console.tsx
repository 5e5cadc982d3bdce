import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Viewer, type ConnectionState } from 'onair'
import { Addresses } from './addresses'
import { AdminClient } from './adminclient'
import { Bans } from './bans'
import { Charts } from './charts'
import { DeadLetters } from './deadletters'
import { compactNumber } from './format'
import { t } from './i18n'
import { MetricSampler } from './metricsampler'
import { PageHeader } from './pageheader'
import { Recordings } from './recordings'
import { Sessions } from './sessions'
import { loadToken, storeToken } from './token'
import { TokenForm } from './tokenform'

const sections = ['streams', 'charts', 'recordings', 'bans', 'addresses', 'dead letters'] as const
type Section = typeof sections[number]

const sectionHash = (s: Section) => '#' + s.replace(' ', '-')
const currentSection = (): Section => sections.find(s => sectionHash(s) === location.hash) ?? 'streams'

function Console() {
  const [token, setToken] = useState(loadToken('admin'))
  const [tokenError, setTokenError] = useState('')
  const [connectionState, setConnectionState] = useState<ConnectionState>('idle')
  const forgetToken = (error: string) => {
    storeToken('admin', undefined)
    setTokenError(error)
    setToken(undefined)
    setConnectionState('idle')
  }
  return (
    <>
      <PageHeader page="console" connectionState={connectionState}>
        {token && <button type="button" onClick={() => forgetToken('')}>{t('forget token')}</button>}
      </PageHeader>
      <main class="stack">
        <h1 class="hidden">{t('console')}</h1>
        {token ? <Sections key={token} token={token} onConnectionState={setConnectionState} onTokenRefused={forgetToken} /> : (
          <>
            <TokenForm role="admin" error={tokenError} onToken={setToken} />
            <p class="quiet">{t('token command')} <code class="mono">onair token --role admin --sub NAME</code></p>
          </>
        )}
      </main>
    </>
  )
}

function Sections(p: { token: string, onConnectionState: (state: ConnectionState) => void, onTokenRefused: (error: string) => void }) {
  const admin = useMemo(() => new AdminClient(p.token, p.onTokenRefused), [])
  const viewer = useMemo(() => new Viewer({ token: p.token }), [])
  const sampler = useMemo(() => new MetricSampler(admin), [])
  const [section, setSection] = useState(currentSection)
  const [total, setTotal] = useState<number>()

  useEffect(() => {
    const updateSection = () => setSection(currentSection())
    addEventListener('hashchange', updateSection)
    return () => removeEventListener('hashchange', updateSection)
  }, [])
  useEffect(() => sampler.start(), []) // sampling goes on while other sections are open
  useEffect(() => {
    viewer.on('connectionState', p.onConnectionState)
    const view = viewer.subscribe({ limit: 1 }) // for its total
    view.on('change', () => setTotal(view.total))
    return () => viewer.close()
  }, [])

  return (
    <>
      <nav class="sections" aria-label={t('console')}>
        {sections.map(s => <a href={sectionHash(s)} aria-current={s === section ? 'page' : undefined}>{t(`section ${s}`)}</a>)}
        <span class="quiet push wide">{total !== undefined && t('streams', { n: compactNumber(total) })}</span>
      </nav>
      <section class="stack" aria-label={t(`section ${section}`)}>
        {section === 'streams' && <Sessions admin={admin} />}
        {section === 'charts' && <Charts sampler={sampler} />}
        {section === 'recordings' && <Recordings viewer={viewer} />}
        {section === 'bans' && <Bans admin={admin} />}
        {section === 'addresses' && <Addresses admin={admin} />}
        {section === 'dead letters' && <DeadLetters admin={admin} />}
      </section>
    </>
  )
}

render(<Console />, document.getElementById('app')!)
