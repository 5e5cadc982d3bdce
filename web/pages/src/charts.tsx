import { useEffect, useState } from 'preact/hooks'
import { t } from './i18n'
import { LineChart, type Line } from './linechart'
import type { Sample, Samples } from './samples'

/** What a node has counted since the console was opened. */
export function Charts(p: { samples: Samples }) {
  const [all, setAll] = useState(p.samples.all)
  const [chosen, setChosen] = useState('')
  useEffect(() => p.samples.onChange(() => setAll(p.samples.all)), [p.samples])
  const nodes = [...all.keys()].sort()
  const node = all.has(chosen) ? chosen : nodes[0]
  const samples = (node !== undefined && all.get(node)) || []
  const at = samples.map(s => s.at)
  const line = (name: string, tone: Line['tone'], of: keyof Sample): Line => ({ name, tone, values: samples.map(s => s[of]) })
  return (
    <div class="stack">
      <p class="quiet">{t('charts say')}</p>
      {nodes.length > 0 && (
        <label class="row">{t('node')}{' '}
          <select value={node} onChange={e => setChosen(e.currentTarget.value)}>{nodes.map(n => <option key={n} value={n}>{n}</option>)}</select>
        </label>
      )}
      {at.length > 0 && (
        <div class="stack" key={node}>
          <LineChart title={t('streams by state')} at={at} lines={[
            line(t('sessions live'), 'live', 'live'), line(t('sessions away'), 'warn', 'away'), line(t('sessions starting'), 'link', 'starting'),
          ]} />
          <LineChart title={t('connections')} at={at} lines={[
            line(t('viewer sockets'), 'good', 'viewers'), line(t('anchor sockets'), 'live', 'anchors'), line(t('event streams'), 'link', 'events'),
          ]} />
          <LineChart title={t('per second')} at={at} lines={[line(t('frames'), 'good', 'frames'), line(t('beats'), 'live', 'beats')]} />
          <LineChart title={t('told in')} at={at} lines={[line(t('list latency'), 'warn', 'late'), line(t('answer time'), 'link', 'answer')]} />
          <LineChart title={t('machine')} at={at} lines={[line(t('cpu'), 'warn', 'cpu'), line(t('memory'), 'link', 'memory')]} />
        </div>
      )}
    </div>
  )
}
