package hub

import (
	"testing"
	"time"
)

// TestTickFollowsFanOutTime checks that the tick grows until fan-out takes half of
// the machine, that the pacer then reports overload, and that both end.
func TestTickFollowsFanOutTime(t *testing.T) {
	const shortest, shards = 250 * time.Millisecond, 2
	p := pacer{tick: shortest}
	at := time.Unix(1, 0)
	// run runs for a time with a fan-out time for each tick.
	run := func(perTick, during time.Duration) {
		for range int(during / adjustInterval) {
			at = at.Add(adjustInterval)
			p.busy.Add(int64(float64(perTick) * float64(adjustInterval) / float64(p.tick)))
			p.adjustTickAndOverload(at, shards, shortest)
		}
	}
	run(0, time.Second)
	run(200*time.Millisecond, time.Minute)
	if p.tick != shortest || p.isOverloaded(at) {
		t.Errorf("with %v of 500ms: tick %v, overloaded %t", 200*time.Millisecond, p.tick, p.isOverloaded(at))
	}
	run(600*time.Millisecond, time.Minute)
	if p.tick < 590*time.Millisecond || p.tick > 610*time.Millisecond || p.isOverloaded(at) {
		t.Errorf("with 600ms of work for each tick: tick %v, overloaded %t", p.tick, p.isOverloaded(at))
	}
	run(3*time.Second, time.Minute)
	if p.tick != maxTick || !p.isOverloaded(at) {
		t.Errorf("with 3s of work for each tick: tick %v, overloaded %t", p.tick, p.isOverloaded(at))
	}
	run(0, time.Minute)
	if p.tick != shortest || p.isOverloaded(at) {
		t.Errorf("without work: tick %v, overloaded %t", p.tick, p.isOverloaded(at))
	}
}
