import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Viewer, type Entry, type ConnectionState, type Sort } from 'onair'
import { Grid } from './grid'
import { number, t } from './i18n'
import { Recordings } from './recordings'
import { tokenOf } from './token'
import { Top } from './top'
import { Watching } from './watching'

/** The server's own bound of a view, by default; where it is less, the page asks for what a view has of itself. */
const mostEntries = 500

const viewer = new Viewer({ token: tokenOf('viewer') })

/** The query that the address names: what one sees can be sent to others. */
const asked = new URLSearchParams(location.search)

/** The code that an address names, if it does. */
function watchedIn(hash: string): string {
  try {
    return hash.startsWith('#watch=') ? decodeURIComponent(hash.slice(7)) : ''
  } catch {
    return ''
  }
}

function Wall() {
  const [sort, setSort] = useState<Sort>((asked.get('sort') as Sort | null) ?? 'viewers')
  const [tab, setTab] = useState<'live' | 'recordings'>(location.hash === '#recordings' ? 'recordings' : 'live')
  const [search, setSearch] = useState('')
  const [tag, setTag] = useState('')
  const [phase, setPhase] = useState<ConnectionState>(viewer.connectionState)
  const [entries, setEntries] = useState<readonly Entry[]>([])
  const [total, setTotal] = useState(0)
  const [ready, setReady] = useState(false)
  const [failure, setFailure] = useState('')
  const [limit, setLimit] = useState<number | undefined>(Number(asked.get('limit')) || mostEntries)
  const [watched, setWatched] = useState(watchedIn(location.hash))

  useEffect(() => viewer.on('connectionState', setPhase), [])
  useEffect(() => {
    const view = viewer.subscribe({ list: asked.get('list') ?? undefined, sort, limit })
    let frame = 0
    const offs = [
      view.on('change', () => {
        cancelAnimationFrame(frame)
        frame = requestAnimationFrame(() => { setEntries(view.entries); setTotal(view.total); setReady(true) })
      }),
      view.on('rejected', e => limit === mostEntries && e.code === 'bad_request' ? setLimit(undefined) : setFailure(e.message)),
    ]
    return () => {
      cancelAnimationFrame(frame)
      offs.forEach(off => off())
      view.close()
    }
  }, [sort, limit])

  const tags = useMemo(() => [...new Set(entries.flatMap(e => e.tags ?? []))].sort().slice(0, 200), [entries])
  const wanted = search.trim().toLowerCase()
  const shown = useMemo(() => entries.filter(e => (!tag || e.tags?.includes(tag)) &&
    (!wanted || `${e.title} ${e.anchor} ${e.code}`.toLowerCase().includes(wanted))), [entries, tag, wanted])

  const watch = (code: string) => {
    history.replaceState(null, '', code ? '#watch=' + encodeURIComponent(code) : location.pathname + location.search)
    setWatched(code)
  }
  return (
    <>
      <Top page="wall" phase={phase} />
      <main class="stack">
        <div class="row" role="group" aria-label={t('wall')}>
          {(['live', 'recordings'] as const).map(name => (
            <button type="button" aria-pressed={tab === name} class={tab === name ? 'first' : ''} onClick={() => setTab(name)}>
              {name === 'live' ? t('wall') : t('recordings')}
            </button>
          ))}
        </div>
        {tab === 'recordings' ? <Recordings viewer={viewer} /> : (
          <>
            <h1 class="hidden">{t('wall')}</h1>
            <div class="row">
              <label>{t('search')}<input type="search" value={search} onInput={e => setSearch(e.currentTarget.value)} /></label>
              <label>{t('sort')}
                <select value={sort} onChange={e => setSort(e.currentTarget.value as Sort)}>
                  {(['viewers', 'likes', 'started'] as const).map(s => <option value={s}>{t(`by ${s}`)}</option>)}
                </select>
              </label>
              {tags.length > 0 && (
                <label>{t('tag')}
                  <select value={tag} onChange={e => setTag(e.currentTarget.value)}>
                    <option value="">{t('all tags')}</option>
                    {tags.map(name => <option value={name}>{name}</option>)}
                  </select>
                </label>
              )}
              <span class="quiet" aria-live="polite">{ready && t('streams', { n: number(total) })}</span>
            </div>
            {failure && <p class="error" role="alert">{failure}</p>}
            {ready && entries.length === 0 && <p class="quiet">{t('nobody')}</p>}
            {ready && entries.length > 0 && shown.length === 0 && <p class="quiet">{t('nothing found')}</p>}
            <Grid entries={shown} open={watch} />
          </>
        )}
      </main>
      {watched && <Watching viewer={viewer} code={watched} close={() => watch('')} />}
    </>
  )
}

render(<Wall />, document.getElementById('app')!)
