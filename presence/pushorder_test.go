package presence

import (
	"fmt"
	"slices"
	"testing"
)

// permutations returns every order of n items.
func permutations(n int) (all [][]int) {
	var grow func(rest, done []int)
	grow = func(rest, done []int) {
		if len(rest) == 0 {
			all = append(all, slices.Clone(done))
		}
		for i := range rest {
			next := slices.Delete(slices.Clone(rest), i, i+1)
			grow(next, append(done, rest[i]))
		}
	}
	rest := make([]int, n)
	for i := range rest {
		rest[i] = i
	}
	grow(rest, nil)
	return all
}

// TestSignalsInAnyOrder: start and end of two pushes come in every order, each
// once or twice. With unique names and start times, the stream's media is lost
// when both have ended. At no time does an ended push count as ongoing.
func TestSignalsInAnyOrder(t *testing.T) {
	words := []*Observe{
		{Session: sessionID(1), Source: FromCallback, Signal: PushStarted, Push: "1", PushStartedAt: dawn + 1_000, IsUnique: true},
		{Session: sessionID(1), Source: FromCallback, Signal: PushEnded, Push: "1", IsUnique: true},
		{Session: sessionID(1), Source: FromCallback, Signal: PushStarted, Push: "2", PushStartedAt: dawn + 5_000, IsUnique: true},
		{Session: sessionID(1), Source: FromCallback, Signal: PushEnded, Push: "2", IsUnique: true},
	}
	for _, order := range permutations(len(words)) {
		for twice := range 1 << len(words) {
			x := newTestLog(t)
			x.applyCommand(startOf(1, "ann"))
			ended := map[string]bool{}
			say := func(i int) {
				x.time += 100
				x.applyCommand(words[i])
				if words[i].Signal == PushEnded {
					ended[words[i].Push] = true
				}
				for name := range ended {
					if x.reg.HasOpenPush(sessionID(1), name) {
						t.Fatalf("order %v, twice %b: %s goes on after its end", order, twice, name)
					}
				}
			}
			for _, i := range order {
				say(i)
			}
			for _, i := range order {
				if twice&(1<<i) != 0 {
					say(i)
				}
			}
			if got := awayCause(x, 1); got != "media" {
				t.Errorf("order %v, twice %04b: away for %q", order, twice, got)
			}
		}
	}
}

// TestSignalsOfMediaServerInAnyOrder: a media server reuses names and calls in
// the order of each connection. However two connections interleave, the stream
// has media while one of them pushes.
func TestSignalsOfMediaServerInAnyOrder(t *testing.T) {
	for _, unique := range []bool{true, false} {
		for _, order := range permutations(4) { // 0, 1: begin and end of 1; 2, 3: of 2
			if slices.Index(order, 0) > slices.Index(order, 1) || slices.Index(order, 2) > slices.Index(order, 3) {
				continue
			}
			x := newTestLog(t)
			x.applyCommand(startOf(1, "ann"))
			open := map[string]bool{}
			for _, i := range order {
				c := &Observe{Session: sessionID(1), Source: FromCallback, Signal: PushStarted, Push: fmt.Sprint(i / 2), IsUnique: unique}
				if open[c.Push] = i%2 == 0; i%2 == 1 {
					c.Signal = PushEnded
				}
				x.applyCommand(c)
				want := ""
				if !open["0"] && !open["1"] {
					want = "media"
				}
				if got := awayCause(x, 1); got != want {
					t.Errorf("order %v, unique %v, after %d: away for %q, want %q", order, unique, i, got, want)
				}
			}
		}
	}
}

// TestPushFromFutureIsIgnored: a push that claims to start later than is
// possible does not block later ones.
func TestPushFromFutureIsIgnored(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromCallback, Signal: PushStarted, Push: "made up", PushStartedAt: x.time + 2*maxClockLead, IsUnique: true})
	check(t, "it is not believed", x.sessionState(sessionID(1)), "starting")
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromCallback, Signal: PushStarted, Push: "1", PushStartedAt: x.time, IsUnique: true})
	x.applyCommand(&Observe{Session: sessionID(1), Source: FromCallback, Signal: PushEnded, Push: "1", IsUnique: true})
	check(t, "the true one", awayCause(x, 1), "media")
}

// TestLateSignalsOfPreviousSession: late signals about a push of the previous
// session do not affect the next one.
func TestLateSignalsOfPreviousSession(t *testing.T) {
	x := newTestLog(t)
	x.applyCommand(startOf(1, "ann"))
	since := x.time
	x.advanceWithBeats(1, 60_000)
	x.applyCommand(startOf(2, "ann"))
	for _, sign := range []Signal{PushEnded, PushStarted, PushEnded, PushStarted} {
		x.applyCommand(&Observe{Session: sessionID(2), Source: FromCallback, Signal: sign, Push: "1", PushStartedAt: since, IsUnique: true})
		check(t, "the next session", x.sessionState(sessionID(2)), "starting")
	}
}
