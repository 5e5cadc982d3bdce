package node

import (
	"testing"

	"onair/presence"
)

func BenchmarkNodeBeat(b *testing.B) {
	o := newCommandQueue()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o.addBeat(presence.Lease{Index: uint32(i)}, 1)
		if i%16_667 == 0 {
			o.beats = o.beats[:0]
		}
	}
}
