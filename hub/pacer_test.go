package hub

import (
	"testing"
	"time"
)

// TestTickStretches: fan-out that would take more than half of the machine has
// the tick stretched until it does not; where that is not enough the hub says
// so; and it all goes back.
func TestTickFollowsFanOutTime(t *testing.T) {
	const shortest, shards = 250 * time.Millisecond, 2
	p := pacer{tick: shortest}
	at := time.Unix(1, 0)
	// each is what one tick's frames cost; they are handed out once a tick.
	run := func(each, during time.Duration) {
		for range int(during / adjustInterval) {
			at = at.Add(adjustInterval)
			p.busy.Add(int64(float64(each) * float64(adjustInterval) / float64(p.tick)))
			p.adjustTick(at, shards, shortest)
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
