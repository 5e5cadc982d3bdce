import type { AdminClient } from './adminclient'
import type { NodeMetrics } from './nodemetrics'

/** The metrics of one node at one time. Unknown values are null or missing. */
export interface Sample {
  /** Unix milliseconds. */
  at: number
  live?: number | null
  starting?: number | null
  away?: number | null
  anchorSockets?: number | null
  viewerSockets?: number | null
  eventStreams?: number | null
  beatsPerSecond?: number | null
  framesPerSecond?: number | null
  /** Milliseconds from a command to the sockets, 99th percentile. */
  listLatencyMs?: number | null
  /** Milliseconds that the request for these metrics took. */
  responseTimeMs?: number | null
  /** Percent of one core. */
  cpuPercent?: number | null
  memoryMiB?: number | null
}

const intervalMs = 5_000
const maxSamples = 720 // one hour

/**
 * Samples metrics while the console is open. Behind a load balancer each response may
 * come from another node, so samples are stored by node.
 */
export class MetricSampler {
  samplesByNode: ReadonlyMap<string, readonly Sample[]> = new Map()
  #previous = new Map<string, { at: number, metrics: NodeMetrics }>()
  #listeners = new Set<() => void>()

  constructor(readonly admin: AdminClient) {}

  /** Adds a listener for new samples, and returns the function that removes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Starts sampling, and returns the function that stops it. */
  start(): () => void {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async () => {
      await this.#takeSample(abort.signal)
      if (abort.signal.aborted) return
      this.#listeners.forEach(listener => listener())
      timer = setTimeout(run, intervalMs)
    }
    void run()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }

  async #takeSample(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now()
    try {
      const { node, metrics } = await this.admin.nodeMetrics(signal)
      this.#addSample(node, this.#newSample(node, metrics, performance.now() - startedAt))
    } catch {
      for (const node of this.samplesByNode.keys()) this.#addSample(node, { at: Date.now() })
    }
  }

  #addSample(node: string, sample: Sample) {
    this.samplesByNode = new Map(this.samplesByNode).set(node, [...this.samplesByNode.get(node) ?? [], sample].slice(-maxSamples))
  }

  #newSample(node: string, metrics: NodeMetrics, responseTimeMs: number): Sample {
    const at = Date.now()
    let previous = this.#previous.get(node)
    this.#previous.set(node, { at, metrics })
    const startTime = 'process_start_time_seconds'
    if (previous?.metrics.sum(startTime) !== metrics.sum(startTime)) previous = undefined // the process has restarted: its counters begin at zero
    const perSecond = (name: string) => previous ? (metrics.sum(name) - previous.metrics.sum(name)) * 1000 / Math.max(1, at - previous.at) : null
    const latency = previous ? metrics.quantile(0.99, 'onair_list_latency_seconds', previous.metrics) : null
    const cpu = perSecond('process_cpu_seconds_total')
    const streams = (state: string) => metrics.sum('onair_streams', `state="${state}"`)
    const connections = (kind: string) => metrics.sum('onair_connections', `kind="${kind}"`)
    return {
      at, live: streams('live'), starting: streams('starting'), away: streams('away'),
      anchorSockets: connections('anchor'), viewerSockets: connections('viewer'), eventStreams: connections('events'),
      beatsPerSecond: perSecond('onair_beats_total'), framesPerSecond: perSecond('onair_frames_sent_total'),
      listLatencyMs: latency && latency * 1000, responseTimeMs,
      cpuPercent: cpu && cpu * 100, memoryMiB: metrics.sum('process_resident_memory_bytes') / 2 ** 20,
    }
  }
}
