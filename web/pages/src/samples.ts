import type { NodeMetrics } from './nodemetrics'
import type { Operations } from './operations'

/** What one node counted at one time; what is not known is null. */
export interface Sample {
  at: number
  live: number | null
  starting: number | null
  away: number | null
  anchors: number | null
  viewers: number | null
  events: number | null
  /** A second. */
  beats: number | null
  frames: number | null
  /** Milliseconds from a command to the sockets: the 99th percentile. */
  late: number | null
  /** How long the node took to answer this, in milliseconds. */
  answer: number | null
  /** Percent of one core. */
  cpu: number | null
  /** MiB. */
  memory: number | null
}

const every = 5_000
const kept = 720 // an hour
const nothing: Omit<Sample, 'at'> = {
  live: null, starting: null, away: null, anchors: null, viewers: null, events: null, beats: null, frames: null, late: null, answer: null, cpu: null, memory: null,
}

/**
 * Asks for metrics every few seconds, for as long as the console is open. Behind a
 * balancer each answer may be another node's: each has samples of its own.
 */
export class Samples {
  all: ReadonlyMap<string, readonly Sample[]> = new Map()
  #last = new Map<string, { at: number, metrics: NodeMetrics }>()
  #hearers = new Set<() => void>()

  constructor(readonly operations: Operations) {}

  onChange(hear: () => void): () => void {
    this.#hearers.add(hear)
    return () => this.#hearers.delete(hear)
  }

  /** Gives what ends it. */
  start(): () => void {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async () => {
      await this.#take(abort.signal)
      if (abort.signal.aborted) return
      this.#hearers.forEach(hear => hear())
      timer = setTimeout(run, every)
    }
    void run()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    const began = performance.now()
    try {
      const { node, metrics } = await this.operations.metrics(signal)
      this.#keep(node, this.#sample(node, metrics, performance.now() - began))
    } catch {
      for (const node of this.all.keys()) this.#keep(node, { at: Date.now(), ...nothing })
    }
  }

  #keep(node: string, sample: Sample) {
    this.all = new Map(this.all).set(node, [...this.all.get(node) ?? [], sample].slice(-kept))
  }

  #sample(node: string, m: NodeMetrics, answer: number): Sample {
    const at = Date.now()
    let last = this.#last.get(node)
    this.#last.set(node, { at, metrics: m })
    const started = 'process_start_time_seconds'
    if (last && last.metrics.sum(started) !== m.sum(started)) last = undefined // it counts from zero again
    const rate = (name: string) => last ? (m.sum(name) - last.metrics.sum(name)) * 1000 / Math.max(1, at - last.at) : null
    const late = last ? m.quantile(0.99, 'onair_list_latency_seconds', last.metrics) : null
    const cpu = rate('process_cpu_seconds_total')
    const streams = (state: string) => m.sum('onair_streams', `state="${state}"`)
    const connections = (kind: string) => m.sum('onair_connections', `kind="${kind}"`)
    return {
      at, live: streams('live'), starting: streams('starting'), away: streams('away'),
      anchors: connections('anchor'), viewers: connections('viewer'), events: connections('events'),
      beats: rate('onair_beats_total'), frames: rate('onair_frames_sent_total'), late: late && late * 1000, answer,
      cpu: cpu && cpu * 100, memory: m.sum('process_resident_memory_bytes') / 2 ** 20,
    }
  }
}
