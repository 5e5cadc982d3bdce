interface Series { labels: string, value: number }

/** The metrics of one node, parsed from the text format of Prometheus. */
export class NodeMetrics {
  #seriesByName = new Map<string, Series[]>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (!name) continue
      const series = { labels: labels ?? '', value: value === '+Inf' ? Infinity : Number(value) }
      this.#seriesByName.set(name, [...this.#series(name), series])
    }
  }

  /** The sum of a metric over all series, or over those with a label such as `state="live"`. */
  sum(name: string, label = ''): number {
    return this.#series(name).filter(s => s.labels.includes(label)).reduce((sum, s) => sum + s.value, 0)
  }

  /** A quantile of the values that a histogram has counted since an earlier time; null if it has counted none. */
  quantile(q: number, name: string, since: NodeMetrics): number | null {
    const upperBound = (labels: string) => Number(/le="([^"]+)"/.exec(labels)![1]!.replace('+Inf', 'Infinity'))
    const buckets = this.#series(name + '_bucket').map(s => ({
      upperBound: upperBound(s.labels), count: s.value - since.sum(name + '_bucket', s.labels),
    })).sort((a, b) => a.upperBound - b.upperBound)
    const rank = q * (buckets.at(-1)?.count ?? 0)
    if (rank === 0) return null
    // Within a bucket values are interpolated linearly, as Prometheus does.
    let lowerBound = 0, countBelow = 0
    for (const b of buckets) {
      if (b.count >= rank) return b.upperBound === Infinity ? lowerBound : lowerBound + (b.upperBound - lowerBound) * (rank - countBelow) / (b.count - countBelow)
      lowerBound = b.upperBound
      countBelow = b.count
    }
    return lowerBound
  }

  #series(name: string): Series[] { return this.#seriesByName.get(name) ?? [] }
}
