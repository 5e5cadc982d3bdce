import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Viewer } from 'onair'
import { Addresses } from './addresses'
import { AdminClient } from './adminclient'
import { Bans } from './bans'
import { Charts } from './charts'
import { DeadLetters } from './deadletters'
import { compactNumber } from './format'
import { t } from './i18n'
import { MetricSampler } from './metricsampler'
import { Recordings } from './recordings'
import { Sessions } from './sessions'
import { TokenPage, type TokenProps } from './tokenpage'

const sections = ['streams', 'charts', 'recordings', 'bans', 'addresses', 'dead letters'] as const
type Section = typeof sections[number]

const sectionHash = (s: Section) => '#' + s.replace(' ', '-')
const currentSection = (): Section => sections.find(s => sectionHash(s) === location.hash) ?? 'streams'

function Sections(p: TokenProps) {
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

const hint = <p class="quiet">{t('token command')} <code class="mono">onair token --role admin --sub NAME</code></p>
render(<TokenPage page="console" role="admin" class="stack" hint={hint} content={Sections} />, document.getElementById('app')!)
