import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Viewer, type ConnectionState, type Entry, type Sort } from 'onair'
import { compactNumber } from './format'
import { t } from './i18n'
import { PageHeader } from './pageheader'
import { Recordings } from './recordings'
import { StreamGrid } from './streamgrid'
import { loadToken } from './token'
import { WatchDialog } from './watchdialog'

/** The default of limits.window. If the server's limit is lower, the page uses the view's default limit. */
const defaultLimit = 500
const maxTags = 200

const viewer = new Viewer({ token: loadToken('viewer') })

/** The query in the page's address, so that users can share it. */
const pageQuery = new URLSearchParams(location.search)

/** The code of the watched stream in the address; empty if there is none. */
function watchedCode(hash: string): string {
  try {
    return hash.startsWith('#watch=') ? decodeURIComponent(hash.slice(7)) : ''
  } catch {
    return ''
  }
}

interface ListState {
  entries: readonly Entry[]
  total: number
  isLoaded: boolean
}

interface Filter {
  search: string
  tag: string
}

function Wall() {
  const [tab, setTab] = useState<'live' | 'recordings'>(location.hash === '#recordings' ? 'recordings' : 'live')
  const [connectionState, setConnectionState] = useState<ConnectionState>(viewer.connectionState)
  const [code, setCode] = useState(watchedCode(location.hash))
  const [sort, setSort] = useState<Sort>((pageQuery.get('sort') as Sort | null) ?? 'viewers')
  const [filter, setFilter] = useState<Filter>({ search: '', tag: '' })
  const { list, error } = useStreams(sort)
  useEffect(() => viewer.on('connectionState', setConnectionState), [])
  const watch = (code: string) => {
    history.replaceState(null, '', code ? '#watch=' + encodeURIComponent(code) : location.pathname + location.search)
    setCode(code)
  }
  return (
    <>
      <PageHeader page="wall" connectionState={connectionState} />
      <main class="stack">
        <div class="row" role="group" aria-label={t('wall')}>
          {(['live', 'recordings'] as const).map(name => (
            <button type="button" aria-pressed={tab === name} class={tab === name ? 'first' : ''} onClick={() => setTab(name)}>
              {name === 'live' ? t('wall') : t('recordings')}
            </button>
          ))}
        </div>
        {tab === 'recordings' ? <Recordings viewer={viewer} /> : (
          <LiveStreams list={list} error={error} sort={sort} onSort={setSort} filter={filter} onFilter={setFilter} onWatch={watch} />
        )}
      </main>
      {code && <WatchDialog viewer={viewer} code={code} onClose={() => watch('')} />}
    </>
  )
}

/** Subscribes to the streams of the page's query. The list is updated once per frame at most. */
function useStreams(sort: Sort): { list: ListState, error: string } {
  const [list, setList] = useState<ListState>({ entries: [], total: 0, isLoaded: false })
  const [error, setError] = useState('')
  const [limit, setLimit] = useState<number | undefined>(Number(pageQuery.get('limit')) || defaultLimit)
  useEffect(() => {
    const view = viewer.subscribe({ list: pageQuery.get('list') ?? undefined, sort, limit })
    let frame = 0
    const removers = [
      view.on('change', () => {
        cancelAnimationFrame(frame)
        frame = requestAnimationFrame(() => setList({ entries: view.entries, total: view.total, isLoaded: true }))
      }),
      view.on('rejected', e => limit === defaultLimit && e.code === 'bad_request' ? setLimit(undefined) : setError(e.message)),
    ]
    return () => {
      cancelAnimationFrame(frame)
      removers.forEach(remove => remove())
      view.close()
    }
  }, [sort, limit])
  return { list, error }
}

interface LiveStreamsProps {
  list: ListState
  error: string
  sort: Sort
  onSort: (sort: Sort) => void
  filter: Filter
  onFilter: (filter: Filter) => void
  onWatch: (code: string) => void
}

function LiveStreams(p: LiveStreamsProps) {
  const { entries, total, isLoaded } = p.list
  const { search, tag } = p.filter
  const tags = useMemo(() => [...new Set(entries.flatMap(e => e.tags ?? []))].sort().slice(0, maxTags), [entries])
  const text = search.trim().toLowerCase()
  const matches = useMemo(() => entries.filter(e => (!tag || e.tags?.includes(tag)) &&
    (!text || `${e.title} ${e.anchor} ${e.code}`.toLowerCase().includes(text))), [entries, tag, text])
  return (
    <>
      <h1 class="hidden">{t('wall')}</h1>
      <div class="row">
        <label>{t('search')}<input type="search" value={search} onInput={e => p.onFilter({ search: e.currentTarget.value, tag })} /></label>
        <label>{t('sort')}
          <select value={p.sort} onChange={e => p.onSort(e.currentTarget.value as Sort)}>
            {(['viewers', 'likes', 'started'] as const).map(s => <option value={s}>{t(`by ${s}`)}</option>)}
          </select>
        </label>
        {tags.length > 0 && (
          <label>{t('tag')}
            <select value={tag} onChange={e => p.onFilter({ search, tag: e.currentTarget.value })}>
              <option value="">{t('all tags')}</option>
              {tags.map(name => <option value={name}>{name}</option>)}
            </select>
          </label>
        )}
        <span class="quiet" aria-live="polite">{isLoaded && t('streams', { n: compactNumber(total) })}</span>
      </div>
      {p.error && <p class="error" role="alert">{p.error}</p>}
      {isLoaded && entries.length === 0 && <p class="quiet">{t('no streams')}</p>}
      {isLoaded && entries.length > 0 && matches.length === 0 && <p class="quiet">{t('no matches')}</p>}
      <StreamGrid entries={matches} onOpen={p.onWatch} />
    </>
  )
}

render(<Wall />, document.getElementById('app')!)
