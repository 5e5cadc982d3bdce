package hub

import (
	"testing"
	"time"
)

// TestTickStretches: fan-out that would take more than half of the machine has
// the tick stretched until it does not; where that is not enough the hub says
// so; and it all goes back.
func TestTickStretches(t *testing.T) {
	const shortest, shards = 250 * time.Millisecond, 2
	l := load{tick: shortest}
	at := time.Unix(1, 0)
	// each is what one tick's frames cost; they are handed out once a tick.
	run := func(each, during time.Duration) {
		for range int(during / lookEvery) {
			at = at.Add(lookEvery)
			l.busy.Add(int64(float64(each) * float64(lookEvery) / float64(l.tick)))
			l.look(at, shards, shortest)
		}
	}
	run(0, time.Second)
	run(200*time.Millisecond, time.Minute)
	if l.tick != shortest || l.over(at) {
		t.Errorf("with %v of 500ms: tick %v, overloaded %t", 200*time.Millisecond, l.tick, l.over(at))
	}
	run(600*time.Millisecond, time.Minute)
	if l.tick < 590*time.Millisecond || l.tick > 610*time.Millisecond || l.over(at) {
		t.Errorf("with 600ms of work for each tick: tick %v, overloaded %t", l.tick, l.over(at))
	}
	run(3*time.Second, time.Minute)
	if l.tick != longestTick || !l.over(at) {
		t.Errorf("with 3s of work for each tick: tick %v, overloaded %t", l.tick, l.over(at))
	}
	run(0, time.Minute)
	if l.tick != shortest || l.over(at) {
		t.Errorf("without work: tick %v, overloaded %t", l.tick, l.over(at))
	}
}
