import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef, useState } from 'preact/hooks'
import { compactNumber, timeOfDay } from './format'

/** One line of a chart. Its color is that of its CSS class in the legend. */
export interface Line {
  name: string
  tone: 'live' | 'good' | 'warn' | 'link'
  values: readonly (number | null)[]
}

const height = 180
const minSpan = 60 // seconds: few samples do not fill the width
const dashes = [[], [6, 4], [2, 3]] // lines differ by more than their color
const axisSteps = [1, 2, 5].flatMap(n => [0, 1, 2, 3, 4, 5, 6].map(e => n * 10 ** e)).sort((a, b) => a - b)

/** Lines over time, with at least one sample. The legend shows the values under the pointer, or the last ones. */
export function LineChart(p: { title: string, times: readonly number[], lines: readonly Line[] }) {
  const box = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLUListElement>(null)
  const plot = useRef<uPlot>(null)
  const [pointedIndex, setPointedIndex] = useState<number | null>()
  const data = [p.times.map(ms => ms / 1000), ...p.lines.map(l => l.values)] as uPlot.AlignedData

  useEffect(() => {
    const u = plot.current = new uPlot(plotOptions(p.lines, box.current!, legend.current!, setPointedIndex), data, box.current!)
    const observer = new ResizeObserver(([e]) => u.setSize({ width: e!.contentRect.width, height }))
    observer.observe(box.current!)
    const darkScheme = matchMedia('(prefers-color-scheme: dark)')
    const redraw = () => u.redraw()
    darkScheme.addEventListener('change', redraw)
    return () => {
      darkScheme.removeEventListener('change', redraw)
      observer.disconnect()
      u.destroy()
    }
  }, [])
  useEffect(() => plot.current!.setData(data), [p.times])

  const index = pointedIndex ?? p.times.length - 1
  return (
    <figure class="card stack tight chart">
      <figcaption class="row">
        <strong>{p.title}</strong>
        <span class="quiet">{p.times[index] !== undefined && timeOfDay(p.times[index])}</span>
      </figcaption>
      <ul ref={legend} class="legend">
        {p.lines.map(l => <li><span class={'swatch ' + l.tone} aria-hidden="true">━</span> {l.name} <strong>{l.values[index] == null ? '–' : compactNumber(l.values[index])}</strong></li>)}
      </ul>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  )
}

function plotOptions(lines: readonly Line[], box: HTMLElement, legend: HTMLElement, onPoint: (index?: number | null) => void): uPlot.Options {
  // A canvas cannot use CSS variables, so colors are read from the elements that use them.
  const lineColor = (i: number) => () => getComputedStyle(legend.children[i]!.firstElementChild!).color
  const grid = { stroke: () => getComputedStyle(box).borderTopColor, width: 1 }
  const axis = { stroke: () => getComputedStyle(legend).color, grid, ticks: grid, font: '12px system-ui, sans-serif' }
  return {
    width: box.clientWidth, height, legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { range: timeRange }, y: { range: (_, __, max) => [0, Math.max(5, max * 1.1)] } },
    axes: [
      { ...axis, values: (_, seconds) => seconds.map(s => timeOfDay(s * 1000)), space: 80, size: 32 },
      { ...axis, values: (_, values) => values.map(compactNumber), incrs: axisSteps, size: 56 },
    ],
    series: [{}, ...lines.map((l, i) => ({ label: l.name, stroke: lineColor(i), width: 2, dash: dashes[i], points: { size: 5 } }))],
    hooks: { setCursor: [u => onPoint(u.cursor.idx)] },
  }
}

/** From the first sample to the last. The default of uPlot for one sample is a whole day. */
function timeRange(u: uPlot): uPlot.Range.MinMax {
  const times = u.data[0]
  const last = times.at(-1)!
  return [Math.min(times[0]!, last - minSpan), last]
}
