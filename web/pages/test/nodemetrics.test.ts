import { expect, test } from 'vitest'
import { NodeMetrics } from '../src/nodemetrics'

const text = (a: number, b: number, c: number) => `# HELP onair_x Something.
# TYPE onair_x gauge
onair_x{kind="anchor",role="a b"} 3
onair_x{kind="viewer",role=""} 1e+06
onair_beats_total 7
h_bucket{le="0.1"} ${a}
h_bucket{le="0.2"} ${b}
h_bucket{le="+Inf"} ${c}
h_sum 1
h_count ${c}
`

test('sums, all of a metric or those of a label', () => {
  const m = new NodeMetrics(text(0, 0, 0))
  expect(m.sum('onair_x')).toBe(1000003)
  expect(m.sum('onair_x', 'kind="anchor"')).toBe(3)
  expect(m.sum('onair_beats_total')).toBe(7)
  expect(m.sum('onair_beats')).toBe(0)
})

test('quantiles of what was counted in between', () => {
  const before = new NodeMetrics(text(100, 100, 100))
  expect(new NodeMetrics(text(150, 200, 200)).quantile(0.5, 'h', before)).toBeCloseTo(0.1)
  expect(new NodeMetrics(text(150, 200, 200)).quantile(0.75, 'h', before)).toBeCloseTo(0.15)
  expect(new NodeMetrics(text(100, 100, 200)).quantile(0.99, 'h', before)).toBe(0.2) // the last bound that there is
  expect(new NodeMetrics(text(100, 100, 100)).quantile(0.99, 'h', before)).toBeNull()
})
