import { useEffect, useState } from 'preact/hooks'
import { t } from './i18n'
import { LineChart, type Line } from './linechart'
import type { MetricSampler, Sample } from './metricsampler'

/** The console's section with the metrics of one node as charts. */
export function Charts(p: { sampler: MetricSampler }) {
  const [samplesByNode, setSamplesByNode] = useState(p.sampler.samplesByNode)
  const [chosenNode, setChosenNode] = useState('')
  useEffect(() => p.sampler.onChange(() => setSamplesByNode(p.sampler.samplesByNode)), [p.sampler])
  const nodes = [...samplesByNode.keys()].sort()
  const node = samplesByNode.has(chosenNode) ? chosenNode : nodes[0]
  const samples = (node !== undefined && samplesByNode.get(node)) || []
  const times = samples.map(s => s.at)
  const line = (name: string, tone: Line['tone'], member: keyof Sample): Line => ({ name, tone, values: samples.map(s => s[member] ?? null) })
  return (
    <div class="stack">
      <p class="quiet">{t('charts text')}</p>
      {nodes.length > 0 && (
        <label class="row">{t('node')}{' '}
          <select value={node} onChange={e => setChosenNode(e.currentTarget.value)}>{nodes.map(n => <option key={n} value={n}>{n}</option>)}</select>
        </label>
      )}
      {samples.length > 0 && (
        <div class="stack" key={node}>
          <LineChart title={t('streams by state')} times={times} lines={[
            line(t('sessions live'), 'live', 'live'), line(t('sessions away'), 'warn', 'away'), line(t('sessions starting'), 'link', 'starting'),
          ]} />
          <LineChart title={t('connections')} times={times} lines={[
            line(t('viewer sockets'), 'good', 'viewerSockets'), line(t('anchor sockets'), 'live', 'anchorSockets'), line(t('event streams'), 'link', 'eventStreams'),
          ]} />
          <LineChart title={t('per second')} times={times} lines={[line(t('frames'), 'good', 'framesPerSecond'), line(t('beats'), 'live', 'beatsPerSecond')]} />
          <LineChart title={t('latency')} times={times} lines={[line(t('list latency'), 'warn', 'listLatencyMs'), line(t('response time'), 'link', 'responseTimeMs')]} />
          <LineChart title={t('machine')} times={times} lines={[line(t('cpu'), 'warn', 'cpuPercent'), line(t('memory'), 'link', 'memoryMiB')]} />
        </div>
      )}
    </div>
  )
}
