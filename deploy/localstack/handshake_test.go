package main

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestStoppingNodeFailsNoHandshake: a node that stops has fewer sockets than the others, so
// that a balancer prefers it. No handshake through a reverse proxy fails.
func TestStoppingNodeFailsNoHandshake(t *testing.T) {
	s := newProxyStack(t)
	var sockets []*websocket.Conn
	for range 200 {
		for name, address := range s.proxies {
			conn, _, err := s.dialViewer(s.ctx, address)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			sockets = append(sockets, conn)
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var dialers, readers sync.WaitGroup
	var dialed atomic.Int64
	for _, conn := range sockets {
		readers.Go(func() { // a client answers the close, and its socket at the node is gone
			for {
				if _, _, err := conn.Read(ctx); err != nil {
					conn.CloseNow()
					return
				}
			}
		})
	}
	for name, address := range s.proxies {
		dialers.Go(func() {
			for ; ctx.Err() == nil; dialed.Add(1) {
				conn, _, err := s.dialViewer(s.ctx, address)
				if err != nil {
					t.Errorf("a handshake through %s: %v", name, err)
					return
				}
				conn.CloseNow()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	s.await("the first handshakes", func() bool { return dialed.Load() > 20 })
	s.nodes[0].Signal(syscall.SIGTERM)
	if code, err := s.nodes[0].AwaitExit(s.ctx); err != nil || code != 0 {
		t.Errorf("the stopped node has exit code %d, %v", code, err)
	}
	after := dialed.Load()
	s.await("handshakes without the node", func() bool { return dialed.Load() > after+100 || t.Failed() })
	cancel()
	dialers.Wait()
	readers.Wait()
}
