package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// listedState is the state of one anchor on the list.
type listedState struct {
	isLive bool
	title  string
}

// loadAnchor is an anchor that starts, updates and stops until its server is killed, and
// records what was acknowledged last.
type loadAnchor struct {
	sub               string
	acknowledged      listedState
	requested         *listedState // what a request that is on its way leads to
	acknowledgedCount int
}

// request sends a request that results in a state, and reports whether it was acknowledged.
func (w *loadAnchor) request(p *process, c *nodetest.Client, m wire.Message, to listedState) bool {
	w.requested = &to
	answer, err := c.Request(m)
	if err != nil {
		return false
	}
	if e, refused := answer.(*wire.Error); refused {
		p.t.Errorf("%s: %T was answered with %v", w.sub, m, e)
		return false
	}
	w.acknowledged, w.requested = to, nil
	w.acknowledgedCount++
	return true
}

// sendUntilKilled sends requests until the connection breaks.
func (w *loadAnchor) sendUntilKilled(p *process, tok string) {
	c, err := p.tryDial("/v1/anchor", tok)
	for n := int64(0); err == nil; n += 3 {
		title := fmt.Sprintf("%s %d", w.sub, rand.Int64())
		if !w.request(p, c, &wire.Start{ID: wire.IntID(n), Title: title}, listedState{true, title}) {
			return
		}
		title += " updated"
		if !w.request(p, c, &wire.Update{ID: wire.IntID(n + 1), Title: wire.Some(title)}, listedState{true, title}) {
			return
		}
		if rand.IntN(3) == 0 {
			// The next start of the same anchor, on a new socket, takes over.
			c.Conn.CloseNow()
			c, err = p.tryDial("/v1/anchor", tok)
		} else if !w.request(p, c, &wire.Stop{ID: wire.IntID(n + 2)}, listedState{}) {
			return
		}
	}
}

// checkListed compares the list of the restarted server with what was acknowledged. An
// unanswered request may have had its effect or not.
func (w *loadAnchor) checkListed(t *testing.T, listed map[string]wire.Entry) {
	t.Helper()
	e, live := listed["8888_"+w.sub]
	got := listedState{live, e.Title}
	if got != w.acknowledged && (w.requested == nil || got != *w.requested) {
		t.Errorf("%s: listed %+v, acknowledged %+v, on its way %+v", w.sub, got, w.acknowledged, w.requested)
	}
	w.acknowledged, w.requested = got, nil
}

func TestAcknowledgedCommandsSurviveKill(t *testing.T) {
	const rounds, workers = 50, 4
	data := t.TempDir()
	var crew [workers]loadAnchor
	var tokens [workers]string
	for i := range crew {
		crew[i].sub = fmt.Sprintf("worker%d", i)
		tokens[i] = nodetest.SignToken(t, auth.Anchor, crew[i].sub)
	}
	for round := range rounds {
		p := startProcess(t, data, "--heartbeat.interval", "60s")
		listed := p.listedEntries()
		for i := range crew {
			crew[i].checkListed(t, listed)
		}
		if t.Failed() {
			t.Fatalf("after the kill of round %d", round)
		}
		var wg sync.WaitGroup
		for i := range crew {
			wg.Go(func() { crew[i].sendUntilKilled(p, tokens[i]) })
		}
		<-time.After(time.Duration(20+rand.IntN(130)) * time.Millisecond)
		p.signalAndWait(syscall.SIGKILL)
		wg.Wait()
	}
	asks := 0
	for _, w := range crew {
		asks += w.acknowledgedCount
	}
	t.Logf("%d rounds, %d acknowledged requests", rounds, asks)
	if asks < rounds {
		t.Errorf("only %d requests were acknowledged: there was no load", asks)
	}
}

// TestListSurvivesRestart: after a restart live sessions are listed at once and may be resumed.
// A session that is not resumed ends after one full lease.
func TestListSurvivesRestart(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel() // mostly waits for carol's lease, which a busy machine must not cut short
			data := t.TempDir()
			p := startProcess(t, data, "--heartbeat.interval", "3s")
			alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
			answer, err := alice.Request(&wire.Start{ID: "1", Title: "Hello"})
			if err != nil {
				t.Fatal(err)
			}
			session := answer.(*wire.Started).Session
			p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "carol")).Request(&wire.Start{ID: "1", Title: "Bye"})
			p.signalAndWait(sig)

			p = startProcess(t, data, "--heartbeat.interval", "3s")
			if e := p.listedEntries()["8888_alice"]; e.Title != "Hello" {
				t.Fatalf("after the restart alice is listed as %+v", e)
			}
			alice = p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
			answer, err = alice.Request(&wire.Resume{ID: "2", Session: session})
			if err != nil {
				t.Fatal(err)
			}
			if again, ok := answer.(*wire.Started); !ok || again.Session != session {
				t.Fatalf("resume was answered with %+v", answer)
			}
			// Carol does not resume. Alice beats, so her session must stay.
			stop := time.Now().Add(nodetest.ProcessTimeout)
			for n := int64(3); len(p.listedEntries()) == 2; n++ {
				if time.Now().After(stop) {
					t.Fatal("carol does not leave")
				}
				if _, err := alice.Request(&wire.Beat{ID: wire.IntID(n), N: n}); err != nil {
					t.Fatal(err)
				}
				<-time.After(200 * time.Millisecond)
			}
			if _, ok := p.listedEntries()["8888_alice"]; !ok {
				t.Error("alice, who beats, has left")
			}
		})
	}
}

// TestPausedServerExpiresNobody: no session expires because the server was stopped for longer
// than a lease.
func TestPausedServerExpiresNobody(t *testing.T) {
	p := startProcess(t, t.TempDir())
	alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	if _, err := alice.Request(&wire.Start{ID: "1", Title: "Hello"}); err != nil {
		t.Fatal(err)
	}
	stalls := p.metricText("onair_clock_stalls_total")
	p.cmd.Process.Signal(syscall.SIGSTOP)
	<-time.After(6 * time.Second) // the lease is 3.1 s
	p.cmd.Process.Signal(syscall.SIGCONT)
	for n := range int64(5) {
		answer, err := alice.Request(&wire.Beat{ID: wire.IntID(n), N: n})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := answer.(*wire.Ack); !ok {
			t.Fatalf("beat was answered with %+v", answer)
		}
		<-time.After(300 * time.Millisecond)
	}
	if ended := p.metricText(`onair_ends_total{list="live",reason="missed_beats"}`); ended != "0" {
		t.Errorf("%s sessions ended", ended)
	}
	if now := p.metricText("onair_clock_stalls_total"); now == stalls {
		t.Errorf("the presence clock did not stall: %s before, %s after", stalls, now)
	}
}

func TestSecondProcessIsRejected(t *testing.T) {
	data := t.TempDir()
	startProcess(t, data)
	second := runCommand(t, "--data", data, "--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0")
	if second.code != 1 || !strings.Contains(second.err, data) {
		t.Errorf("exit code %d, said %q", second.code, second.err)
	}
}

func TestDamagedStoreIsMovedAside(t *testing.T) {
	data := t.TempDir()
	startProcess(t, data).signalAndWait(syscall.SIGTERM)
	file := filepath.Join(data, "onair.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, data)
	if !strings.Contains(p.logText(), "damaged") {
		t.Errorf("the log does not say that the store was damaged")
	}
	aside, err := filepath.Glob(filepath.Join(data, "onair.db.damaged-*"))
	if err != nil || len(aside) == 0 {
		t.Errorf("nothing was moved aside: %v, %v", aside, err)
	}
}
