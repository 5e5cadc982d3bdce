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

// TestSecondSignal: a second signal ends a drain at once. Acknowledged changes survive it.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startServer(t, testBinary(), nil, "--data", data, "--drain", "1h")
	alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "Hello"})
	// A drain takes ten milliseconds for each socket. With these sockets it lasts longer than
	// the test waits between the signals. Each connection is used at once: the server closes
	// those that send no request in time, and this machine may be busy.
	for range 900 {
		if err := p.dialRawSockets(1)[0].Upgrade("/v1/viewer"); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	for late := time.Now().Add(nodetest.ProcessTimeout); !strings.Contains(p.logText(), `"stopping"`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("the log does not say that it stops")
		}
	}
	p.signalAndWait(syscall.SIGTERM)
	if how := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !how.Signaled() || how.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", p.cmd.ProcessState)
	}
	p = startServer(t, testBinary(), nil, "--data", data)
	if e := p.listedEntries()["8888_alice"]; e.Title != "Hello" {
		t.Errorf("after it alice is listed as %+v", e)
	}
	p.signalAndWait(syscall.SIGTERM) // one alone is a proper end
	if how := p.cmd.ProcessState; how.ExitCode() != 0 {
		t.Errorf("after one signal it ended with %v", how)
	}
}

// TestStarvedServer: a server with a tenth of a processor is slow, but no session whose beats
// arrive expires.
func TestStarvedServer(t *testing.T) {
	t.Parallel()
	p := startServer(t, testBinary(), nil, "--heartbeat.interval", "2s")
	b := p.connectBystanders()
	b.checkServedDuring(func() {
		for range 60 {
			p.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(90 * time.Millisecond)
			p.cmd.Process.Signal(syscall.SIGCONT)
			time.Sleep(10 * time.Millisecond)
		}
	})
	for _, reason := range []string{"missed_beats", "stream_lost"} {
		if n := p.metricValue(`onair_ends_total{list="live",reason="` + reason + `"}`); n != 0 {
			t.Errorf("%v sessions ended for %s", n, reason)
		}
	}
	b.checkServed()
}
