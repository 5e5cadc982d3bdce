package presence

// epoch is a stretch of the log that was written under one replication id.
// Within one nothing is lost; what lies before it may have lost its tail.
type epoch struct {
	repl  string
	num   uint64 // of its first entry
	clock int64  // presence time of its first entry
}

// maxEpochs is how many are remembered: more than a log goes through while a
// node is away and may still want to know what it shares with the log.
const maxEpochs = 64

// ReconcileTicks is for how many node ticks after a loss the nodes put back what
// they know, and nobody is shown what is missing. Half of it is for what each
// heard itself, the rest for the sessions of nodes that are gone.
const ReconcileTicks = 3

// beginEpoch notes that e is the first entry under its replication id. The
// clock stands at e already.
func (r *Registry) beginEpoch(e Entry) {
	if len(r.epochs) == maxEpochs {
		r.epochs = append(r.epochs[:0], r.epochs[1:]...)
	}
	r.epochs = append(r.epochs, epoch{e.Repl, e.Num, r.clock})
	r.mark(recordMeta, 0)
}

// Young reports whether the log's replication id is so new that what was lost
// before it may not be put back yet.
func (r *Registry) Young() bool {
	n := len(r.epochs)
	return n > 0 && r.clock-r.epochs[n-1].clock < ReconcileTicks*r.settings.Tick()
}

// end is the number of the last entry of an epoch, as far as it was applied.
func (r *Registry) endOf(epoch int) uint64 {
	if epoch+1 < len(r.epochs) {
		return r.epochs[epoch+1].num - 1
	}
	return r.last.Num
}

// LastSharedEntry is the number of the last entry that two registries have both
// applied, 0 where that is none: later entries of the one may have the same
// numbers as those of the other, but are not the same.
func LastSharedEntry(a, b *Registry) uint64 {
	for i := len(a.epochs) - 1; i >= 0; i-- {
		for j := len(b.epochs) - 1; j >= 0; j-- {
			if x, y := a.epochs[i], b.epochs[j]; x.repl == y.repl && x.num == y.num {
				return min(a.endOf(i), b.endOf(j))
			}
		}
	}
	return 0
}

// TimeSinceLoss is how much presence time has passed since the first entry with a
// higher number under a replication id of its own; 0 where there is none yet.
func (r *Registry) TimeSinceLoss(num uint64) int64 {
	for _, e := range r.epochs {
		if e.num > num {
			return r.clock - e.clock
		}
	}
	return 0
}
