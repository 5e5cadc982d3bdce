package presence

import (
	"fmt"
	"slices"
	"testing"
)

// orders yields every order of n things.
func orders(n int) (all [][]int) {
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

// TestOrderStorm: begin and end of two pushes come in every order, each once or
// twice. Where names never come again and begins say when they were, the stream
// is without a picture when both have ended, whatever the order; and at no time
// is a push taken for one that goes on after its end was heard.
func TestOrderStorm(t *testing.T) {
	words := []*Observe{
		{Session: id(1), Source: FromCallback, Sign: Begun, Media: "1", Since: dawn + 1_000, Unique: true},
		{Session: id(1), Source: FromCallback, Sign: Finished, Media: "1", Unique: true},
		{Session: id(1), Source: FromCallback, Sign: Begun, Media: "2", Since: dawn + 5_000, Unique: true},
		{Session: id(1), Source: FromCallback, Sign: Finished, Media: "2", Unique: true},
	}
	for _, order := range orders(len(words)) {
		for twice := range 1 << len(words) {
			x := newTape(t)
			x.do(started(1, "ann"))
			ended := map[string]bool{}
			say := func(i int) {
				x.time += 100
				x.do(words[i])
				if words[i].Sign == Finished {
					ended[words[i].Media] = true
				}
				for name := range ended {
					if x.r.Pushing(id(1), name) {
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
			if got := away(x, 1); got != "media" {
				t.Errorf("order %v, twice %04b: away for %q", order, twice, got)
			}
		}
	}
}

// TestOrderOfAServer: a media server that calls in the order of each connection,
// whose names come again. Whatever the two connections of one name interleave to,
// the stream has a picture as long as one of them publishes.
func TestOrderOfAServer(t *testing.T) {
	for _, unique := range []bool{true, false} {
		for _, order := range orders(4) { // 0, 1: begin and end of 1; 2, 3: of 2
			if slices.Index(order, 0) > slices.Index(order, 1) || slices.Index(order, 2) > slices.Index(order, 3) {
				continue
			}
			x := newTape(t)
			x.do(started(1, "ann"))
			open := map[string]bool{}
			for _, i := range order {
				c := &Observe{Session: id(1), Source: FromCallback, Sign: Begun, Media: fmt.Sprint(i / 2), Unique: unique}
				if open[c.Media] = i%2 == 0; i%2 == 1 {
					c.Sign = Finished
				}
				x.do(c)
				want := ""
				if !open["0"] && !open["1"] {
					want = "media"
				}
				if got := away(x, 1); got != want {
					t.Errorf("order %v, unique %v, after %d: away for %q, want %q", order, unique, i, got, want)
				}
			}
		}
	}
}

// TestPushOfTheFuture: a begin that says to be of later than it can be keeps out
// none that come after it.
func TestPushOfTheFuture(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	x.do(&Observe{Session: id(1), Source: FromCallback, Sign: Begun, Media: "made up", Since: x.time + 2*maxAhead, Unique: true})
	check(t, "it is not believed", x.state(id(1)), "starting")
	x.do(&Observe{Session: id(1), Source: FromCallback, Sign: Begun, Media: "1", Since: x.time, Unique: true})
	x.do(&Observe{Session: id(1), Source: FromCallback, Sign: Finished, Media: "1", Unique: true})
	check(t, "the true one", away(x, 1), "media")
}

// TestLateWordsOfTheSessionBefore: what is said late of a push of the session
// before is nothing to the next.
func TestLateWordsOfTheSessionBefore(t *testing.T) {
	x := newTape(t)
	x.do(started(1, "ann"))
	since := x.time
	x.whileBeating(1, 60_000)
	x.do(started(2, "ann"))
	for _, sign := range []Sign{Finished, Begun, Finished, Begun} {
		x.do(&Observe{Session: id(2), Source: FromCallback, Sign: sign, Media: "1", Since: since, Unique: true})
		check(t, "the next session", x.state(id(2)), "starting")
	}
}
