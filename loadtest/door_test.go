//go:build linux

package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// door is one more address of a server, as that of another node that has the
// same log.
type door struct {
	address, server string

	copies   sync.WaitGroup
	mu       sync.Mutex // guards both
	listener net.Listener
	open     map[net.Conn]bool
}

// openDoor opens one, until the test ends.
func openDoor(t *testing.T, server string) *door {
	t.Helper()
	d := &door{address: "127.0.0.1:0", server: server, open: map[net.Conn]bool{}}
	d.reopen(t)
	t.Cleanup(func() {
		d.close()
		d.copies.Wait()
	})
	return d
}

// reopen lets clients in, at the address that it has.
func (d *door) reopen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.listener, d.address = listener, listener.Addr().String()
	d.mu.Unlock()
	d.copies.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if server, err := net.Dial("tcp", d.server); err != nil || !d.join(listener, client, server) {
				client.Close()
			}
		}
	})
}

// join copies both ways until either end closes, or the door.
func (d *door) join(at net.Listener, client, server net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != at {
		server.Close()
		return false // closed meanwhile
	}
	ends := [2]net.Conn{client, server}
	for i, from := range ends {
		to := ends[1-i]
		d.open[from] = true
		d.copies.Go(func() {
			io.Copy(to, from)
			client.Close()
			server.Close()
			d.mu.Lock()
			delete(d.open, from)
			d.mu.Unlock()
		})
	}
	return true
}

// close cuts everybody off, as a node that is killed, and lets nobody in.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
	for conn := range d.open {
		conn.Close()
	}
}

// clients is how many are inside.
func (d *door) clients() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open) / 2
}

// TestClosedDoors: everybody at a node that goes away comes back by another,
// viewers with a diff, and back when that one goes away.
func TestClosedDoors(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := openDoor(t, s.address), openDoor(t, s.address)
	type result struct {
		code int
		r    Report
		out  string
	}
	done := make(chan result, 1)
	go func() {
		var got result
		got.code, got.r, got.out = s.load(t, a.address+",ws://"+b.address, "--anchors", "20", "--viewers", "60", "--views", "3",
			"--duration", "8s", "--updates-per-second", "20", "--watch-share", "0.3", "--likes-per-second", "0",
			"--min-resumed", "0.99", "--max-disconnects", "400")
		done <- got
	}()
	all := func(in func() int) {
		for late := time.Now().Add(soon); in() < 80; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%d of 80 are in", in())
			}
		}
	}
	all(func() int { return a.clients() + b.clients() })
	a.close()
	all(b.clients)
	a.reopen(t)
	b.close()
	all(a.clients)
	b.reopen(t)
	got := <-done
	v, an := got.r.Viewers, got.r.Anchors
	if got.code != 0 || v.Reconnects < 80 || v.ReconnectsResumed != v.Reconnects || v.Disconnects < 80 {
		t.Errorf("exit %d, viewers %+v\n%s", got.code, v, got.out)
	}
	if an.Disconnects < 25 || an.Resumes < 25 || an.Expired != 0 {
		t.Errorf("anchors %+v", an)
	}
}

// TestStarts: what the profile measures, in small.
func TestStarts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a, b := openDoor(t, s.address), openDoor(t, s.address)
	code, r, out := s.load(t, a.address+",ws://"+b.address, "--profile", "starts", "--anchors", "40", "--viewers", "60",
		"--views", "30", "--duration", "6s", "--anchor-life", "2s", "--rest-for", "1s")
	x := r.Starts
	if code != 0 || x.QuietSameNode == nil || x.QuietOtherNode == nil || x.QuietOtherNode.Samples < 5 || x.QuietOtherNode.P99 <= 0 {
		t.Errorf("exit %d, starts %+v\n%s", code, x, out)
	}
	if r.SameNode == nil || r.OtherNode == nil || r.SameNode.Samples+r.OtherNode.Samples != r.Latency.Samples {
		t.Errorf("latency %+v, at the same node %+v, at another %+v", r.Latency, r.SameNode, r.OtherNode)
	}
}
