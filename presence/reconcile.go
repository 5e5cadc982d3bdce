package presence

import (
	"maps"
	"slices"
)

// SessionScope selects the sessions that RestoreCommands restores.
type SessionScope uint8

// The scopes there are.
const (
	OwnSessions SessionScope = iota // those whose lease the node renewed last
	AllSessions
)

// RestoreCommands returns the commands by which a node restores what the old
// registry has and the current one lacks, because the log lost all entries after
// lastShared: ends first, then bans, then the sessions of the scope. Each node
// starts at another session, so that nodes do not restore the same ones at once.
func RestoreCommands(old, current *Registry, lastShared uint64, node string, scope SessionScope) []Command {
	l := &losing{old: old, now: current, lost: lastShared + 1, keys: map[Session][]string{}}
	if have := old.settings; have.Revision > current.settings.Revision {
		l.found = append(l.found, &SetSettings{have}) // by which the sessions are then judged
	}
	l.ends()
	l.bans()
	first := len(l.found)
	l.sessions(node, scope)
	before, of := current.peers.rank(node)
	sessions := l.found[first:]
	from := len(sessions) * before / of
	l.found = slices.Concat(l.found[:first], sessions[from:], sessions[:from])
	l.recordings()
	l.effects()
	l.addKeys()
	return l.found
}

// CanRestore reports whether a command of RestoreCommands still has something to
// restore: while it waits, other nodes restore the same.
func (r *Registry) CanRestore(c Command) bool {
	switch c := c.(type) {
	case *Restore:
		i, live := r.bySession[c.session.stream.Session]
		if live {
			return changed(c.session, r.sessions[i], c.Lost)
		}
		return r.ended.bySession[c.session.stream.Session] == nil
	case *Bury:
		return r.ended.bySession[c.ended.Stream.Session] == nil
	case *AddRecording:
		return r.recordings.byID[c.Recording.ID] == nil
	case *Reopen:
		_, was := r.known(reopenKey, "", c.effect.ID.String())
		return !was
	}
	return true
}

// losing gathers losses.
type losing struct {
	old, now *Registry
	lost     uint64
	found    []Command
	keys     map[Session][]string // of the sessions that were found
}

func (l *losing) ends() {
	for _, e := range l.old.ended.list {
		if e.num >= l.lost && l.now.ended.bySession[e.Stream.Session] == nil {
			l.found = append(l.found, &Bury{Lost: l.lost, ended: e})
			l.keys[e.Stream.Session] = nil
		}
	}
}

func (l *losing) bans() {
	for _, anchor := range slices.Sorted(maps.Keys(l.old.bans)) {
		b := l.old.bans[anchor]
		if b.num >= l.lost && l.now.bans[anchor].num < l.lost && !b.over(l.now.last.Time) {
			again := b.Ban
			again.Lost = l.lost
			l.found = append(l.found, &again)
		}
	}
	for _, anchor := range slices.Sorted(maps.Keys(l.now.bans)) {
		b := l.now.bans[anchor]
		if _, still := l.old.bans[anchor]; !still && b.num < l.lost && !b.over(l.now.last.Time) {
			l.found = append(l.found, &Unban{Anchor: anchor, Lost: l.lost})
		}
	}
}

func (l *losing) sessions(node string, scope SessionScope) {
	var via uint16
	if p, _ := l.old.peers.find(node); p != nil {
		via = p.via
	}
	for i, s := range l.old.sessions {
		if s == nil || l.now.ended.bySession[s.stream.Session] != nil {
			continue
		}
		if at, live := l.now.bySession[s.stream.Session]; live {
			if x := l.now.sessions[at]; !changed(s, x, l.lost) {
				continue
			}
		} else if scope == OwnSessions && (via == 0 || l.old.leases.all[i].via != via) {
			continue
		}
		t := l.old.leases.terms[l.old.leases.all[i].terms]
		l.found = append(l.found, &Restore{Lost: l.lost, Terms: t, session: s})
		l.keys[s.stream.Session] = nil
	}
}

func (l *losing) recordings() {
	for _, t := range l.old.recordings.list {
		if t.num >= l.lost && l.now.recordings.byID[t.ID] == nil {
			l.found = append(l.found, &AddRecording{t.Recording})
		}
	}
}

// effects are those that were still to be done. Those of recordings come again
// with the recordings.
func (l *losing) effects() {
	l.old.effects.open.Scan(func(_ uint64, e *Effect) bool {
		if again := (&Reopen{e}); e.num >= l.lost && e.Recording == nil && l.now.CanRestore(again) {
			l.found = append(l.found, again)
		}
		return true
	})
}

// addKeys adds the keys that the clients used.
func (l *losing) addKeys() {
	if len(l.keys) == 0 {
		return
	}
	for _, name := range l.old.keys.names {
		s := l.old.keys.byName[name].session
		if _, found := l.keys[s]; !found {
			continue
		}
		if k, known := l.now.keys.byName[name]; !known || k.session != s {
			l.keys[s] = append(l.keys[s], name)
		}
	}
	for _, c := range l.found {
		switch c := c.(type) {
		case *Restore:
			c.Keys = l.keys[c.session.stream.Session]
		case *Bury:
			c.Keys = l.keys[c.ended.Stream.Session]
		}
	}
}

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
