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
	l := &lossCollector{old: old, current: current, firstLost: lastShared + 1, keys: map[Session][]string{}}
	if have := old.settings; have.Revision > current.settings.Revision {
		l.commands = append(l.commands, &SetSettings{have}) // by which the sessions are then judged
	}
	l.addEnds()
	l.addBans()
	first := len(l.commands)
	l.addSessions(node, scope)
	before, of := current.peers.rank(node)
	sessions := l.commands[first:]
	from := len(sessions) * before / of
	l.commands = slices.Concat(l.commands[:first], sessions[from:], sessions[:from])
	l.addRecordings()
	l.addEvents()
	l.addKeys()
	return l.commands
}

// CanRestore reports whether a command of RestoreCommands still has something to
// restore: while it waits, other nodes restore the same.
func (r *Registry) CanRestore(c Command) bool {
	switch c := c.(type) {
	case *RestoreSession:
		i, live := r.bySession[c.session.stream.Session]
		if live {
			return hasLostChanges(c.session, r.sessions[i], c.FirstLost)
		}
		return r.ended.bySession[c.session.stream.Session] == nil
	case *RestoreEnd:
		return r.ended.bySession[c.ended.Stream.Session] == nil
	case *AddRecording:
		return r.recordings.byID[c.Recording.ID] == nil
	case *RestoreEvent:
		_, was := r.findKey(restoreEventKey, "", c.event.ID.String())
		return !was
	}
	return true
}

// lossCollector gathers losses.
type lossCollector struct {
	old, current *Registry
	firstLost    uint64
	commands     []Command
	keys         map[Session][]string // of the sessions that were found
}

func (l *lossCollector) addEnds() {
	for _, e := range l.old.ended.list {
		if e.entryNum >= l.firstLost && l.current.ended.bySession[e.Stream.Session] == nil {
			l.commands = append(l.commands, &RestoreEnd{FirstLost: l.firstLost, ended: e})
			l.keys[e.Stream.Session] = nil
		}
	}
}

func (l *lossCollector) addBans() {
	for _, anchor := range slices.Sorted(maps.Keys(l.old.bans)) {
		b := l.old.bans[anchor]
		if b.num >= l.firstLost && l.current.bans[anchor].num < l.firstLost && !b.hasExpired(l.current.last.Time) {
			again := b.Ban
			again.FirstLost = l.firstLost
			l.commands = append(l.commands, &again)
		}
	}
	for _, anchor := range slices.Sorted(maps.Keys(l.current.bans)) {
		b := l.current.bans[anchor]
		if _, still := l.old.bans[anchor]; !still && b.num < l.firstLost && !b.hasExpired(l.current.last.Time) {
			l.commands = append(l.commands, &Unban{Anchor: anchor, FirstLost: l.firstLost})
		}
	}
}

func (l *lossCollector) addSessions(node string, scope SessionScope) {
	var via uint16
	if p, _ := l.old.peers.find(node); p != nil {
		via = p.renewer
	}
	for i, s := range l.old.sessions {
		if s == nil || l.current.ended.bySession[s.stream.Session] != nil {
			continue
		}
		if at, live := l.current.bySession[s.stream.Session]; live {
			if x := l.current.sessions[at]; !hasLostChanges(s, x, l.firstLost) {
				continue
			}
		} else if scope == OwnSessions && (via == 0 || l.old.leases.all[i].renewer != via) {
			continue
		}
		t := l.old.leases.params[l.old.leases.all[i].params]
		l.commands = append(l.commands, &RestoreSession{FirstLost: l.firstLost, Params: t, session: s})
		l.keys[s.stream.Session] = nil
	}
}

func (l *lossCollector) addRecordings() {
	for _, t := range l.old.recordings.list {
		if t.entryNum >= l.firstLost && l.current.recordings.byID[t.ID] == nil {
			l.commands = append(l.commands, &AddRecording{t.Recording})
		}
	}
}

// addEvents are those that were still to be done. Those of recordings come again
// with the recordings.
func (l *lossCollector) addEvents() {
	l.old.outbox.events.Scan(func(_ uint64, e *OutboxEvent) bool {
		if again := (&RestoreEvent{e}); e.entryNum >= l.firstLost && e.Recording == nil && l.current.CanRestore(again) {
			l.commands = append(l.commands, again)
		}
		return true
	})
}

// addKeys adds the keys that the clients used.
func (l *lossCollector) addKeys() {
	if len(l.keys) == 0 {
		return
	}
	for _, name := range l.old.keys.names {
		s := l.old.keys.byName[name].session
		if _, found := l.keys[s]; !found {
			continue
		}
		if k, known := l.current.keys.byName[name]; !known || k.session != s {
			l.keys[s] = append(l.keys[s], name)
		}
	}
	for _, c := range l.commands {
		switch c := c.(type) {
		case *RestoreSession:
			c.Keys = l.keys[c.session.stream.Session]
		case *RestoreEnd:
			c.Keys = l.keys[c.ended.Stream.Session]
		}
	}
}

// epoch is a stretch of the log that was written under one replication id.
// Within one nothing is lost; what lies before it may have lost its tail.
type epoch struct {
	id        string
	firstNum  uint64 // of its first entry
	startedAt int64  // presence time of its first entry
}

// maxEpochs is how many are remembered: more than a log goes through while a
// node is away and may still want to know what it shares with the log.
const maxEpochs = 64

// ReconcileTicks is for how many node ticks after a loss the nodes put back what
// they know, and nobody is shown what is missing. Half of it is for what each
// heard itself, the rest for the sessions of nodes that are gone.
const ReconcileTicks = 3

// startEpoch notes that e is the first entry under its replication id. The
// clock stands at e already.
func (r *Registry) startEpoch(e Entry) {
	if len(r.epochs) == maxEpochs {
		r.epochs = append(r.epochs[:0], r.epochs[1:]...)
	}
	r.epochs = append(r.epochs, epoch{e.Epoch, e.Num, r.clock})
	r.markRecord(recordMeta, 0)
}

// IsReconciling reports whether the log's replication id is so new that what was lost
// before it may not be put back yet.
func (r *Registry) IsReconciling() bool {
	n := len(r.epochs)
	return n > 0 && r.clock-r.epochs[n-1].startedAt < ReconcileTicks*r.settings.Tick()
}

// end is the number of the last entry of an epoch, as far as it was applied.
func (r *Registry) lastNumOf(epoch int) uint64 {
	if epoch+1 < len(r.epochs) {
		return r.epochs[epoch+1].firstNum - 1
	}
	return r.last.Num
}

// LastSharedEntry is the number of the last entry that two registries have both
// applied, 0 where that is none: later entries of the one may have the same
// numbers as those of the other, but are not the same.
func LastSharedEntry(a, b *Registry) uint64 {
	for i := len(a.epochs) - 1; i >= 0; i-- {
		for j := len(b.epochs) - 1; j >= 0; j-- {
			if x, y := a.epochs[i], b.epochs[j]; x.id == y.id && x.firstNum == y.firstNum {
				return min(a.lastNumOf(i), b.lastNumOf(j))
			}
		}
	}
	return 0
}

// TimeSinceLoss is how much presence time has passed since the first entry with a
// higher number under a replication id of its own; 0 where there is none yet.
func (r *Registry) TimeSinceLoss(num uint64) int64 {
	for _, e := range r.epochs {
		if e.firstNum > num {
			return r.clock - e.startedAt
		}
	}
	return 0
}
