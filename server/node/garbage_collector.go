package node

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// How far the heap may grow beyond what is live, in percent. A rush of
// newcomers makes garbage, and what it leaves is live: collecting seldom is
// cheap then. Afterwards next to nothing is allocated: what the rush has left is
// given back, and room to grow would be memory for nothing.
const (
	growthInRush   = 60
	growthWhenCalm = 25

	rushRate  = 100             // who come in a second
	calmAfter = 3 * time.Second // without a rush
)

// tuneGarbageCollector fits the garbage collector to what the node is doing, until ctx
// ends. An operator's own GOGC is left alone.
func (n *Node) tuneGarbageCollector(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	growth, rush := 0, time.Now()
	before := n.Admission.AdmittedTotal()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		admitted := n.Admission.AdmittedTotal()
		if admitted-before >= rushRate {
			rush = time.Now()
		}
		before = admitted
		wanted := growthInRush
		if time.Since(rush) >= calmAfter {
			wanted = growthWhenCalm
		}
		if wanted != growth {
			growth = wanted
			debug.SetGCPercent(growth)
			if growth == growthWhenCalm {
				debug.FreeOSMemory() // what the rush has left
			}
		}
	}
}
