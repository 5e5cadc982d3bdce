/** What one node counts, read from Prometheus' text format. */
export class NodeMetrics {
  #series = new Map<string, { labels: string, value: number }[]>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (!name) continue
      const all = this.#series.get(name) ?? []
      all.push({ labels: labels ?? '', value: value === '+Inf' ? Infinity : Number(value) })
      this.#series.set(name, all)
    }
  }

  /** The sum of a metric, or of those of its series that have a label such as `state="live"`. */
  sum(name: string, label = ''): number {
    return (this.#series.get(name) ?? []).filter(s => s.labels.includes(label)).reduce((sum, s) => sum + s.value, 0)
  }

  /** A quantile of what a histogram has counted since an earlier time, or null where that is nothing. */
  quantile(q: number, name: string, since: NodeMetrics): number | null {
    const bound = (labels: string) => Number(/le="([^"]+)"/.exec(labels)![1]!.replace('+Inf', 'Infinity'))
    const buckets = (this.#series.get(name + '_bucket') ?? []).map(s => ({
      most: bound(s.labels), count: s.value - since.sum(name + '_bucket', s.labels),
    })).sort((a, b) => a.most - b.most)
    const wanted = q * (buckets.at(-1)?.count ?? 0)
    if (wanted === 0) return null
    // Within a bucket all values are taken to lie evenly, as Prometheus does.
    let least = 0, before = 0
    for (const b of buckets) {
      if (b.count >= wanted) return b.most === Infinity ? least : least + (b.most - least) * (wanted - before) / (b.count - before)
      least = b.most
      before = b.count
    }
    return least
  }
}
