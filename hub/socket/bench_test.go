package socket

import (
	"net"
	"testing"
	"time"
)

// sink is a connection that takes everything at once.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

func BenchmarkBody(b *testing.B) {
	diff := json(300)
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewBody(diff).pack(false)
		}
	})
	b.Run("deflated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewBody(diff).pack(true)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	head := []byte(`{"type":"snapshot","id":7,`)
	for name, m := range map[string]Message{
		"shared": {Body: NewBody(json(300))},
		"answer": {Head: json(100)},
		"head":   {head, NewBody(json(300))},
		"large":  {head, NewBody(json(50_000))},
	} {
		b.Run(name, func(b *testing.B) {
			c := &Conn{wire: newWire(sink{}, nil, Options{}.withDefaults()), deflated: true}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
