package socket

import (
	"io"
	"net"
	"testing"
)

// tcpConnToDiscard returns a loopback connection whose other end discards its
// input.
func tcpConnToDiscard(b *testing.B) net.Conn {
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, peer)
	}()
	b.Cleanup(func() {
		conn.Close()
		<-done
		peer.Close()
	})
	return conn
}

func BenchmarkBody(b *testing.B) {
	diff := repeatedJSON(300)
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewBody(diff).frameFor(false)
		}
	})
	b.Run("deflated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewBody(diff).frameFor(true)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	head := []byte(`{"type":"snapshot","id":7,`)
	for name, m := range map[string]Message{
		"shared": {Body: NewBody(repeatedJSON(300))},
		"answer": {Head: repeatedJSON(100)},
		"head":   {head, NewBody(repeatedJSON(300))},
		"large":  {head, NewBody(repeatedJSON(50_000))},
	} {
		b.Run(name, func(b *testing.B) {
			c := newBlockingConn(&Conn{transport: newTransport(tcpConnToDiscard(b), nil, Options{}.withDefaults()), isCompressed: true})
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
