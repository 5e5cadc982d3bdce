package node

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// How far the heap may grow beyond the live heap, in percent. While many connections come,
// most new memory stays live, so rare collections cost little. Afterwards almost nothing is
// allocated, and a small limit returns memory to the system.
const (
	growthInRush   = 60
	growthWhenCalm = 25

	rushRate  = 100             // admitted connections per second
	calmAfter = 3 * time.Second // since the last second with rushRate
)

// tuneGarbageCollector sets the growth of the heap by the rate of admitted connections, until
// ctx ends. It does nothing if GOGC is set.
func (n *Node) tuneGarbageCollector(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	growth, lastRush := 0, time.Now()
	admittedBefore := n.Admission.ReservationsSinceStart()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		admitted := n.Admission.ReservationsSinceStart()
		if admitted-admittedBefore >= rushRate {
			lastRush = time.Now()
		}
		admittedBefore = admitted
		newGrowth := growthInRush
		if time.Since(lastRush) >= calmAfter {
			newGrowth = growthWhenCalm
		}
		if newGrowth != growth {
			growth = newGrowth
			debug.SetGCPercent(growth)
			if growth == growthWhenCalm {
				debug.FreeOSMemory() // returns the garbage of the rush
			}
		}
	}
}
