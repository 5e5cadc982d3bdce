package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestSecondSignal: a second signal ends a drain at once, and what was
// acknowledged is there after it.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := besiege(t, thisBinary(), nil, "--data", data, "--drain", "1h")
	alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
	// A drain takes ten milliseconds for each socket, see perSocket: with these
	// it lasts for longer than the test waits between the signals.
	for _, c := range p.rawSockets(900) {
		if err := c.Upgrade("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	for late := time.Now().Add(nodetest.ProcessTimeout); !strings.Contains(p.logged(), `"stopping"`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("the log does not say that it stops")
		}
	}
	p.end(syscall.SIGTERM)
	if how := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !how.Signaled() || how.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", p.cmd.ProcessState)
	}
	p = besiege(t, thisBinary(), nil, "--data", data)
	if e := p.codes()["8888_alice"]; e.Title != "Hello" {
		t.Errorf("after it alice is listed as %+v", e)
	}
	p.end(syscall.SIGTERM) // one alone is a proper end
	if how := p.cmd.ProcessState; how.ExitCode() != 0 {
		t.Errorf("after one signal it ended with %v", how)
	}
}

// TestStarvedServer: a server that gets a tenth of a processor is slow, but
// gives nobody up whose beats come.
func TestStarvedServer(t *testing.T) {
	t.Parallel()
	p := besiege(t, thisBinary(), nil, "--heartbeat.interval", "2s")
	b := p.invite()
	b.whilst(func() {
		for range 60 {
			p.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(90 * time.Millisecond)
			p.cmd.Process.Signal(syscall.SIGCONT)
			time.Sleep(10 * time.Millisecond)
		}
	})
	for _, reason := range []string{"missed_beats", "stream_lost"} {
		if n := p.gauge(`onair_ends_total{list="live",reason="` + reason + `"}`); n != 0 {
			t.Errorf("%v sessions ended for %s", n, reason)
		}
	}
	b.served()
}
