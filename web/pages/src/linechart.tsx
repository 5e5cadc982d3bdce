import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef, useState } from 'preact/hooks'
import { number, clock } from './i18n'

/** A line; its colour is that of its class in the legend. */
export interface Line {
  name: string
  tone: 'live' | 'good' | 'warn' | 'link'
  values: readonly (number | null)[]
}

const height = 180
const least = 60 // seconds: few samples are not drawn over the whole width
const dashes = [[], [6, 4], [2, 3]] // not by colour alone
const steps = [1, 2, 5].flatMap(n => [0, 1, 2, 3, 4, 5, 6].map(e => n * 10 ** e)).sort((a, b) => a - b)

/** Lines over time, of at least one sample, with the values of the last moment, or of that under the pointer, in its legend. */
export function LineChart(p: { title: string, at: readonly number[], lines: readonly Line[] }) {
  const box = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLUListElement>(null)
  const plot = useRef<uPlot>(null)
  const [pointed, setPointed] = useState<number | null>()
  const data = [p.at.map(ms => ms / 1000), ...p.lines.map(l => l.values)] as uPlot.AlignedData

  useEffect(() => {
    // A canvas knows no variables of CSS: colours are read where the page shows them.
    const tone = (i: number) => () => getComputedStyle(legend.current!.children[i]!.firstElementChild!).color
    const ink = () => getComputedStyle(legend.current!).color
    const rule = { stroke: () => getComputedStyle(box.current!).borderTopColor, width: 1 }
    const axis = { stroke: ink, grid: rule, ticks: rule, font: '12px system-ui, sans-serif' }
    const u = plot.current = new uPlot({
      width: box.current!.clientWidth, height, legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { range: span }, y: { range: (_, __, most) => [0, Math.max(5, most * 1.1)] } },
      axes: [
        { ...axis, values: (_, at) => at.map(s => clock(s * 1000)), space: 80, size: 32 },
        { ...axis, values: (_, at) => at.map(number), incrs: steps, size: 56 },
      ],
      series: [{}, ...p.lines.map((l, i) => ({ label: l.name, stroke: tone(i), width: 2, dash: dashes[i], points: { size: 5 } }))],
      hooks: { setCursor: [u => setPointed(u.cursor.idx)] },
    }, data, box.current!)
    const sizes = new ResizeObserver(([e]) => u.setSize({ width: e!.contentRect.width, height }))
    sizes.observe(box.current!)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const redraw = () => u.redraw()
    scheme.addEventListener('change', redraw)
    return () => {
      scheme.removeEventListener('change', redraw)
      sizes.disconnect()
      u.destroy()
    }
  }, [])
  useEffect(() => plot.current!.setData(data), [p.at])

  const shown = pointed ?? p.at.length - 1
  return (
    <figure class="card stack tight chart">
      <figcaption class="row">
        <strong>{p.title}</strong>
        <span class="quiet">{p.at[shown] !== undefined && clock(p.at[shown])}</span>
      </figcaption>
      <ul ref={legend} class="legend">
        {p.lines.map(l => <li><span class={'swatch ' + l.tone} aria-hidden="true">━</span> {l.name} <strong>{l.values[shown] == null ? '–' : number(l.values[shown])}</strong></li>)}
      </ul>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  )
}

/** From the first sample to the last: what uPlot proposes for one sample is a day. */
function span(u: uPlot): uPlot.Range.MinMax {
  const at = u.data[0]
  const last = at.at(-1)!
  return [Math.min(at[0]!, last - least), last]
}
