import { expect, test } from 'vitest'
import { NodeMetrics } from '../src/nodemetrics'

/** Metrics whose histogram has these bucket counts. */
const metricsText = (a: number, b: number, c: number) => `# HELP onair_x Something.
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

test('a sum covers all series, or those with a label', () => {
  const m = new NodeMetrics(metricsText(0, 0, 0))
  expect(m.sum('onair_x')).toBe(1000003)
  expect(m.sum('onair_x', 'kind="anchor"')).toBe(3)
  expect(m.sum('onair_beats_total')).toBe(7)
  expect(m.sum('onair_beats')).toBe(0)
})

test('a quantile covers the values between two times', () => {
  const before = new NodeMetrics(metricsText(100, 100, 100))
  expect(new NodeMetrics(metricsText(150, 200, 200)).quantile(0.5, 'h', before)).toBeCloseTo(0.1)
  expect(new NodeMetrics(metricsText(150, 200, 200)).quantile(0.75, 'h', before)).toBeCloseTo(0.15)
  expect(new NodeMetrics(metricsText(100, 100, 200)).quantile(0.99, 'h', before)).toBe(0.2) // the highest finite bound
  expect(new NodeMetrics(metricsText(100, 100, 100)).quantile(0.99, 'h', before)).toBeNull()
})
