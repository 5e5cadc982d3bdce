package socket

import (
	"io"
	"net"
	"testing"
)

// drained is a connection over loopback whose other end reads and forgets.
func drained(b *testing.B) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(io.Discard, peer)
	}()
	b.Cleanup(func() {
		conn.Close()
		<-read
		peer.Close()
	})
	return conn
}

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
			c := newBlocking(&Conn{wire: newWire(drained(b), nil, Options{}.withDefaults()), deflated: true})
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
