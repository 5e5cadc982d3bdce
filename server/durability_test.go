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

// shown is what the list shows of one anchor.
type shown struct {
	live  bool
	title string
}

// worker is an anchor that starts, updates and stops for as long as its server
// lives, and remembers what was acknowledged last.
type worker struct {
	sub   string
	acked shown
	next  *shown // what a request that is on its way leads to
	asks  int
}

// ask sends a request that leads to a state, and reports whether it was
// acknowledged.
func (w *worker) ask(p *process, c *nodetest.Client, m wire.Message, to shown) bool {
	w.next = &to
	answer, err := c.Request(m)
	if err != nil {
		return false
	}
	if e, refused := answer.(*wire.Error); refused {
		p.t.Errorf("%s: %T was answered with %v", w.sub, m, e)
		return false
	}
	w.acked, w.next = to, nil
	w.asks++
	return true
}

// work runs until the connection breaks.
func (w *worker) work(p *process, tok string) {
	c, err := p.tryDial("/v1/anchor", tok)
	for n := int64(0); err == nil; n += 3 {
		title := fmt.Sprintf("%s %d", w.sub, rand.Int64())
		if !w.ask(p, c, &wire.Start{ID: wire.IntID(n), Title: title}, shown{true, title}) {
			return
		}
		title += " updated"
		if !w.ask(p, c, &wire.Update{ID: wire.IntID(n + 1), Title: wire.Some(title)}, shown{true, title}) {
			return
		}
		if rand.IntN(3) == 0 {
			// The next start of the same anchor, on a new socket, takes over.
			c.Conn.CloseNow()
			c, err = p.tryDial("/v1/anchor", tok)
		} else if !w.ask(p, c, &wire.Stop{ID: wire.IntID(n + 2)}, shown{}) {
			return
		}
	}
}

// check compares what the restarted server lists with what was acknowledged;
// a request that was on its way may have taken effect or not.
func (w *worker) check(t *testing.T, listed map[string]wire.Entry) {
	t.Helper()
	e, live := listed["8888_"+w.sub]
	got := shown{live, e.Title}
	if got != w.acked && (w.next == nil || got != *w.next) {
		t.Errorf("%s: listed %+v, acknowledged %+v, on its way %+v", w.sub, got, w.acked, w.next)
	}
	w.acked, w.next = got, nil
}

func TestKillUnderLoadLosesNothingAcknowledged(t *testing.T) {
	const rounds, workers = 50, 4
	data := t.TempDir()
	var crew [workers]worker
	var tokens [workers]string
	for i := range crew {
		crew[i].sub = fmt.Sprintf("worker%d", i)
		tokens[i] = nodetest.SignToken(t, auth.Anchor, crew[i].sub)
	}
	for round := range rounds {
		p := startProcess(t, data, "--heartbeat.interval", "60s")
		listed := p.codes()
		for i := range crew {
			crew[i].check(t, listed)
		}
		if t.Failed() {
			t.Fatalf("after the kill of round %d", round)
		}
		var wg sync.WaitGroup
		for i := range crew {
			wg.Go(func() { crew[i].work(p, tokens[i]) })
		}
		<-time.After(time.Duration(20+rand.IntN(130)) * time.Millisecond)
		p.end(syscall.SIGKILL)
		wg.Wait()
	}
	asks := 0
	for _, w := range crew {
		asks += w.asks
	}
	t.Logf("%d rounds, %d acknowledged requests", rounds, asks)
	if asks < rounds {
		t.Errorf("only %d requests were acknowledged: there was no load", asks)
	}
}

// TestRestartKeepsTheList: whoever was live is listed at once, and may resume;
// whoever does not come back leaves after one full lease.
func TestRestartKeepsTheList(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			data := t.TempDir()
			p := startProcess(t, data)
			alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
			answer, err := alice.Request(&wire.Start{ID: "1", Title: "Hello"})
			if err != nil {
				t.Fatal(err)
			}
			session := answer.(*wire.Started).Session
			p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "carol")).Request(&wire.Start{ID: "1", Title: "Bye"})
			p.end(sig)

			p = startProcess(t, data)
			if e := p.codes()["8888_alice"]; e.Title != "Hello" {
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
			// Carol does not come back. Alice's beats must keep her.
			stop := time.Now().Add(nodetest.ProcessTimeout)
			for n := int64(3); len(p.codes()) == 2; n++ {
				if time.Now().After(stop) {
					t.Fatal("carol does not leave")
				}
				if _, err := alice.Request(&wire.Beat{ID: wire.IntID(n), N: n}); err != nil {
					t.Fatal(err)
				}
				<-time.After(200 * time.Millisecond)
			}
			if _, ok := p.codes()["8888_alice"]; !ok {
				t.Error("alice, who beats, has left")
			}
		})
	}
}

// TestPausedServerExpiresNobody: a server that was stopped for longer than
// every lease ends nobody's broadcast for it.
func TestPausedServerExpiresNobody(t *testing.T) {
	p := startProcess(t, t.TempDir())
	alice := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	if _, err := alice.Request(&wire.Start{ID: "1", Title: "Hello"}); err != nil {
		t.Fatal(err)
	}
	stalls := p.metric("onair_clock_stalls_total")
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
	if ended := p.metric(`onair_ends_total{list="live",reason="missed_beats"}`); ended != "0" {
		t.Errorf("%s sessions ended", ended)
	}
	if now := p.metric("onair_clock_stalls_total"); now == stalls {
		t.Errorf("the presence clock did not stall: %s before, %s after", stalls, now)
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	data := t.TempDir()
	startProcess(t, data)
	second := exitCode(t, "--data", data, "--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0")
	if second.code != 1 || !strings.Contains(second.err, data) {
		t.Errorf("exit code %d, said %q", second.code, second.err)
	}
}

func TestDamagedStoreIsMovedAsideAndSaid(t *testing.T) {
	data := t.TempDir()
	startProcess(t, data).end(syscall.SIGTERM)
	file := filepath.Join(data, "onair.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, data)
	if !strings.Contains(p.logged(), "damaged") {
		t.Errorf("the log does not say that the store was damaged")
	}
	aside, err := filepath.Glob(filepath.Join(data, "onair.db.damaged-*"))
	if err != nil || len(aside) == 0 {
		t.Errorf("nothing was moved aside: %v, %v", aside, err)
	}
}
