import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Entry } from 'onair'
import { compactNumber } from './format'
import { t } from './i18n'

// Pixels.
const gap = 16
const minTileWidth = 220
const textHeight = 108 // of the text below the cover
/** Rows that are rendered above and below the window. */
const extraRows = 2

interface Viewport { top: number, height: number }

/** Entries as tiles. Only the tiles near the window are rendered, so that thousands of entries are cheap. */
export function StreamGrid(p: { entries: readonly Entry[], onOpen: (code: string) => void }) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([e]) => setWidth(e!.contentRect.width))
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])
  const viewport = useViewport(box)

  const columns = Math.max(1, Math.floor((width + gap) / (minTileWidth + gap)))
  const tileWidth = (width - gap * (columns - 1)) / columns
  const tileHeight = Math.round(tileWidth * 9 / 16) + textHeight
  const rowHeight = tileHeight + gap
  const rows = Math.ceil(p.entries.length / columns)
  const firstRow = Math.max(0, Math.floor(viewport.top / rowHeight) - extraRows)
  const endRow = Math.min(rows, Math.ceil((viewport.top + viewport.height) / rowHeight) + extraRows)
  const rendered = width ? p.entries.slice(firstRow * columns, endRow * columns) : []
  return (
    <div class="wall" ref={box} role="list" style={{ height: Math.max(0, rows * rowHeight - gap) + 'px' }}>
      {rendered.map((e, i) => {
        const index = firstRow * columns + i
        const [x, y] = [(index % columns) * (tileWidth + gap), Math.floor(index / columns) * rowHeight]
        const style = { width: tileWidth + 'px', height: tileHeight + 'px', transform: `translate(${x}px, ${y}px)` }
        return (
          <div role="listitem" key={e.code} aria-setsize={p.entries.length} aria-posinset={index + 1}>
            <Tile entry={e} style={style} onOpen={p.onOpen} />
          </div>
        )
      })}
    </div>
  )
}

/** The part of a box that the window shows. It changes with scrolls and resizes, once per frame. */
function useViewport(box: { current: HTMLDivElement | null }): Viewport {
  const [viewport, setViewport] = useState<Viewport>({ top: 0, height: 1000 })
  useEffect(() => {
    let frame = 0
    const measure = () => {
      cancelAnimationFrame(frame)
      frame = requestAnimationFrame(() => box.current && setViewport({ top: -box.current.getBoundingClientRect().top, height: innerHeight }))
    }
    measure()
    addEventListener('scroll', measure, { passive: true })
    addEventListener('resize', measure)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener('scroll', measure)
      removeEventListener('resize', measure)
    }
  }, [])
  return viewport
}

function Tile(p: { entry: Entry, style: Record<string, string>, onOpen: (code: string) => void }) {
  const e = p.entry
  return (
    <button type="button" class="tile" style={p.style} onClick={() => p.onOpen(e.code)} data-code={e.code}>
      <span class="cover">
        <span class="initial" aria-hidden="true">{[...(e.title || e.anchor)][0]}</span>
        {e.cover && <img src={e.cover} alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer" onError={hideImage} />}
        <span class={'state ' + e.state}>{t(`state ${e.state}`)}</span>
      </span>
      <span class="text">
        <span class="title">{e.title || e.code}</span>
        <span class="quiet">{e.anchor}</span>
        <span class="counts"><span>{t('viewers', { n: compactNumber(e.viewers) })}</span><span>{t('likes', { n: compactNumber(e.likes) })}</span></span>
        {e.tags && <span class="tags">{e.tags.join(' · ')}</span>}
      </span>
    </button>
  )
}

function hideImage(event: Event): void {
  (event.target as HTMLElement).hidden = true
}
