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
// lastShared: settings first, then ends, bans and unbans, the sessions of the scope,
// recordings and outbox events. Each node starts at another session, so that nodes do
// not restore the same ones at once.
func RestoreCommands(old, current *Registry, lastSharedNum uint64, ownNode string, scope SessionScope) []Command {
	l := &restoreBuilder{old: old, current: current, firstLost: lastSharedNum + 1, keys: map[Session][]string{}}
	if have := old.settings; have.Revision > current.settings.Revision {
		l.commands = append(l.commands, &SetSettings{have}) // the sessions are judged by them
	}
	l.addEnds()
	l.addBansAndUnbans()
	first := len(l.commands)
	l.addSessions(ownNode, scope)
	before, living := current.nodes.rank(ownNode)
	sessions := l.commands[first:]
	from := len(sessions) * before / living
	l.commands = slices.Concat(l.commands[:first], sessions[from:], sessions[:from])
	l.addRecordings()
	l.addEvents()
	l.addClientKeysToCommands()
	return l.commands
}

// NeedsRestore reports whether a command of RestoreCommands would still restore
// something: while it waits, other nodes may restore the same.
func (r *Registry) NeedsRestore(c Command) bool {
	switch c := c.(type) {
	case *RestoreSession:
		return r.needsSession(c)
	case *RestoreEnd:
		return r.ended.bySession[c.ended.Stream.Session] == nil
	case *AddRecording:
		return r.recordings.byID[c.Recording.ID] == nil
	case *RestoreEvent:
		_, isRestored := r.findClientKey(restoreEventKey, "", c.event.ID.String())
		return !isRestored
	}
	return true
}

// restoreBuilder collects the commands that restore what was lost.
type restoreBuilder struct {
	old, current *Registry
	firstLost    uint64
	commands     []Command
	keys         map[Session][]string // of the sessions that commands restore
}

func (l *restoreBuilder) addEnds() {
	for _, e := range l.old.ended.list {
		if e.entryNum >= l.firstLost && l.current.ended.bySession[e.Stream.Session] == nil {
			l.commands = append(l.commands, &RestoreEnd{FirstLost: l.firstLost, ended: e})
			l.keys[e.Stream.Session] = nil
		}
	}
}

func (l *restoreBuilder) addBansAndUnbans() {
	for _, anchor := range slices.Sorted(maps.Keys(l.old.bans)) {
		b := l.old.bans[anchor]
		if b.num >= l.firstLost && l.current.bans[anchor].num < l.firstLost && !b.hasExpired(l.current.last.Time) {
			ban := b.Ban
			ban.FirstLost = l.firstLost
			l.commands = append(l.commands, &ban)
		}
	}
	for _, anchor := range slices.Sorted(maps.Keys(l.current.bans)) {
		b := l.current.bans[anchor]
		if _, isBanned := l.old.bans[anchor]; !isBanned && b.num < l.firstLost && !b.hasExpired(l.current.last.Time) {
			l.commands = append(l.commands, &Unban{Anchor: anchor, FirstLost: l.firstLost})
		}
	}
}

func (l *restoreBuilder) addSessions(node string, scope SessionScope) {
	var renewer uint16
	if p, _ := l.old.nodes.find(node); p != nil {
		renewer = p.renewer
	}
	for i, s := range l.old.sessions {
		if s == nil {
			continue
		}
		le := &l.old.leases.all[i]
		_, live := l.current.bySession[s.stream.Session]
		if isOwn := renewer != 0 && le.renewer == renewer; !live && scope == OwnSessions && !isOwn {
			continue
		}
		c := &RestoreSession{FirstLost: l.firstLost, Params: l.old.leases.params[le.params], session: s}
		if le.renewer != 0 && le.flags&leaseUntimed == 0 && l.current.rules >= 3 {
			c.RenewedAt = le.lastRenewal(l.old.clock)
		}
		if l.current.needsSession(c) {
			l.commands = append(l.commands, c)
			l.keys[s.stream.Session] = nil
		}
	}
}

func (l *restoreBuilder) addRecordings() {
	for _, t := range l.old.recordings.list {
		if t.entryNum >= l.firstLost && l.current.recordings.byID[t.ID] == nil {
			l.commands = append(l.commands, &AddRecording{t.Recording})
		}
	}
}

// addEvents adds the events that were in the outbox, except those of recordings,
// which recordings bring back.
func (l *restoreBuilder) addEvents() {
	l.old.outbox.events.Scan(func(_ uint64, e *OutboxEvent) bool {
		if restore := (&RestoreEvent{e}); e.entryNum >= l.firstLost && e.Recording == nil && l.current.NeedsRestore(restore) {
			l.commands = append(l.commands, restore)
		}
		return true
	})
}

// addClientKeysToCommands adds the client keys to the commands.
func (l *restoreBuilder) addClientKeysToCommands() {
	if len(l.keys) == 0 {
		return
	}
	for _, name := range l.old.keys.list {
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

// epoch is one unbroken history of the log. An epoch loses no entries; those
// before it may have been lost.
type epoch struct {
	id        string
	firstNum  uint64 // number of its first entry
	startedAt int64  // presence time of its first entry
}

func appendEpoch(b []byte, e epoch) []byte {
	return appendInt(appendUint(appendString(b, e.id), e.firstNum), e.startedAt)
}

func (r *decoder) epoch() epoch { return epoch{r.string(), r.uint(), r.int()} }

// maxEpochs is how many epochs are remembered: more than a log has while a node
// is away and must still find the last shared entry.
const maxEpochs = 64

// ReconcileTicks is how many node ticks after a loss the nodes restore what they
// know while views are frozen. In the first half each restores its own sessions,
// then those of nodes that are gone.
const ReconcileTicks = 3

// addEpoch records that e is the first entry of its epoch. The presence clock
// already includes e.
func (r *Registry) addEpoch(e Entry) {
	if len(r.epochs) == maxEpochs {
		r.epochs = append(r.epochs[:0], r.epochs[1:]...)
	}
	r.epochs = append(r.epochs, epoch{e.Epoch, e.Num, r.clock})
	r.markRecordChanged(recordMeta, 0)
}

// IsReconciling reports whether the epoch is so new that lost entries may not be
// restored yet.
func (r *Registry) IsReconciling() bool {
	n := len(r.epochs)
	return n > 0 && r.clock-r.epochs[n-1].startedAt < ReconcileTicks*r.settings.Tick()
}

// lastNumOfEpoch is the number of the last applied entry of an epoch.
func (r *Registry) lastNumOfEpoch(epochIndex int) (num uint64) {
	if epochIndex+1 < len(r.epochs) {
		return r.epochs[epochIndex+1].firstNum - 1
	}
	return r.last.Num
}

// lastNumOfEpochID is the number of the last applied entry of an epoch, 0 when the
// epoch is not known or all its entries were lost.
func (r *Registry) lastNumOfEpochID(id string) (num uint64) {
	i := slices.IndexFunc(r.epochs, func(e epoch) bool { return e.id == id })
	if i < 0 {
		return 0
	}
	return r.lastNumOfEpoch(i)
}

// LastSharedEntry is the number of the last entry that both registries have
// applied, 0 where there is none. Later entries of the two may have equal
// numbers but differ.
func LastSharedEntry(a, b *Registry) (num uint64) {
	for i := len(a.epochs) - 1; i >= 0; i-- {
		for j := len(b.epochs) - 1; j >= 0; j-- {
			if x, y := a.epochs[i], b.epochs[j]; x.id == y.id && x.firstNum == y.firstNum {
				return min(a.lastNumOfEpoch(i), b.lastNumOfEpoch(j))
			}
		}
	}
	return 0
}

// TimeSinceLoss is the presence time since an epoch began after the entry of
// that number, 0 where none has.
func (r *Registry) TimeSinceLoss(lastSharedNum uint64) (ms int64) {
	for _, e := range r.epochs {
		if e.firstNum > lastSharedNum {
			return r.clock - e.startedAt
		}
	}
	return 0
}
