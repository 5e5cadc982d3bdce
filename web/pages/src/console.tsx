import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Viewer, type ConnectionState } from 'onair'
import { Addresses } from './addresses'
import { AskForToken } from './askfortoken'
import { Bans } from './bans'
import { Charts } from './charts'
import { DeadLetters } from './deadletters'
import { number, t } from './i18n'
import { Operations } from './operations'
import { Recordings } from './recordings'
import { Samples } from './samples'
import { Streams } from './streams'
import { keepToken, tokenOf } from './token'
import { Top } from './top'

const sections = ['streams', 'charts', 'recordings', 'bans', 'addresses', 'dead letters'] as const
type Section = typeof sections[number]

const anchorOf = (s: Section) => '#' + s.replace(' ', '-')
const asked = (): Section => sections.find(s => anchorOf(s) === location.hash) ?? 'streams'

function Console() {
  const [token, setToken] = useState(tokenOf('admin'))
  const [refused, setRefused] = useState('')
  const [phase, setPhase] = useState<ConnectionState>('idle')
  const forget = (why: string) => {
    keepToken('admin', undefined)
    setRefused(why)
    setToken(undefined)
    setPhase('idle')
  }
  return (
    <>
      <Top page="console" phase={phase}>
        {token && <button type="button" onClick={() => forget('')}>{t('forget token')}</button>}
      </Top>
      <main class="stack">
        <h1 class="hidden">{t('console')}</h1>
        {token ? <Desk key={token} token={token} phase={setPhase} refused={forget} /> : (
          <>
            <AskForToken role="admin" refused={refused} use={setToken} />
            <p class="quiet">{t('mint')} <code class="mono">onair token --role admin --sub NAME</code></p>
          </>
        )}
      </main>
    </>
  )
}

/** All that one who operates has at hand. */
function Desk(p: { token: string, phase: (phase: ConnectionState) => void, refused: (why: string) => void }) {
  const operations = useMemo(() => new Operations(p.token, p.refused), [])
  const viewer = useMemo(() => new Viewer({ token: p.token }), [])
  const samples = useMemo(() => new Samples(operations), [])
  const [section, setSection] = useState(asked)
  const [total, setTotal] = useState<number>()

  useEffect(() => {
    const turn = () => setSection(asked())
    addEventListener('hashchange', turn)
    return () => removeEventListener('hashchange', turn)
  }, [])
  useEffect(() => samples.start(), []) // the charts go on while other sections are shown
  useEffect(() => {
    viewer.on('connectionState', p.phase)
    const view = viewer.subscribe({ limit: 1 }) // for its total
    view.on('change', () => setTotal(view.total))
    return () => viewer.close()
  }, [])

  return (
    <>
      <nav class="sections" aria-label={t('console')}>
        {sections.map(s => <a href={anchorOf(s)} aria-current={s === section ? 'page' : undefined}>{t(`section ${s}`)}</a>)}
        <span class="quiet push wide">{total !== undefined && t('streams', { n: number(total) })}</span>
      </nav>
      <section class="stack" aria-label={t(`section ${section}`)}>
        {section === 'streams' && <Streams operations={operations} />}
        {section === 'charts' && <Charts samples={samples} />}
        {section === 'recordings' && <Recordings viewer={viewer} />}
        {section === 'bans' && <Bans operations={operations} />}
        {section === 'addresses' && <Addresses operations={operations} />}
        {section === 'dead letters' && <DeadLetters operations={operations} />}
      </section>
    </>
  )
}

render(<Console />, document.getElementById('app')!)
