import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Entry } from 'onair'
import { number, t } from './i18n'

const gap = 16
const least = 220 // the narrowest tile
const text = 108 // what stands below the cover
const beyond = 2 // rows drawn out of sight

/** Entries as tiles, of which those in sight are drawn: thousands cost no more than some. */
export function Grid(p: { entries: readonly Entry[], open: (code: string) => void }) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [view, setView] = useState({ top: 0, height: 1000 })

  useLayoutEffect(() => {
    const sizes = new ResizeObserver(([e]) => setWidth(e!.contentRect.width))
    sizes.observe(box.current!)
    return () => sizes.disconnect()
  }, [])
  useEffect(() => {
    let frame = 0
    const look = () => {
      cancelAnimationFrame(frame)
      frame = requestAnimationFrame(() => box.current && setView({ top: -box.current.getBoundingClientRect().top, height: innerHeight }))
    }
    look()
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [])

  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)))
  const wide = (width - gap * (columns - 1)) / columns
  const high = Math.round(wide * 9 / 16) + text
  const rows = Math.ceil(p.entries.length / columns)
  const from = Math.max(0, Math.floor(view.top / (high + gap)) - beyond)
  const to = Math.min(rows, Math.ceil((view.top + view.height) / (high + gap)) + beyond)
  const shown = width ? p.entries.slice(from * columns, to * columns) : []
  return (
    <div class="wall" ref={box} role="list" style={{ height: Math.max(0, rows * (high + gap) - gap) + 'px' }}>
      {shown.map((e, i) => {
        const at = from * columns + i
        const place = { width: wide + 'px', height: high + 'px', transform: `translate(${(at % columns) * (wide + gap)}px, ${Math.floor(at / columns) * (high + gap)}px)` }
        return (
          <div role="listitem" key={e.code} aria-setsize={p.entries.length} aria-posinset={at + 1}>
            <Tile entry={e} style={place} open={p.open} />
          </div>
        )
      })}
    </div>
  )
}

function Tile(p: { entry: Entry, style: Record<string, string>, open: (code: string) => void }) {
  const e = p.entry
  return (
    <button type="button" class="tile" style={p.style} onClick={() => p.open(e.code)} data-code={e.code}>
      <span class="cover">
        <span class="initial" aria-hidden="true">{[...(e.title || e.anchor)][0]}</span>
        {e.cover && <img src={e.cover} alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer" onError={hide} />}
        <span class={'state ' + e.state}>{t(`state ${e.state}`)}</span>
      </span>
      <span class="text">
        <span class="title">{e.title || e.code}</span>
        <span class="quiet">{e.anchor}</span>
        <span class="counts"><span>{t('viewers', { n: number(e.viewers) })}</span><span>{t('likes', { n: number(e.likes) })}</span></span>
        {e.tags && <span class="tags">{e.tags.join(' · ')}</span>}
      </span>
    </button>
  )
}

function hide(event: Event): void {
  (event.target as HTMLElement).hidden = true
}
