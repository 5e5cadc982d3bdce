package presence

import (
	"maps"
	"slices"
)

// Ban ends the anchor's live session and refuses its starts until the time.
type Ban struct {
	Anchor string
	Until  int64 // Unix milliseconds, log time; 0: for ever
	Reason string
	By     string
	Key    string // By's own: repeated under it, the ban changes nothing; or empty
	// FirstLost is set by a node that says the ban again, since the log has lost it:
	// the number of the first entry that was lost. What was said since counts more.
	FirstLost uint64
}

func (*Ban) kind() commandKind { return kindBan }

func (*Ban) durable() bool { return true }

func (c *Ban) encode(b []byte) []byte {
	b = appendInt(appendString(b, c.Anchor), c.Until)
	return appendUint(appendString(appendString(appendString(b, c.Reason), c.By), c.Key), c.FirstLost)
}

func (c *Ban) decode(r *reader) {
	c.Anchor, c.Until = r.string(), r.int()
	c.Reason, c.By, c.Key, c.FirstLost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Ban) apply(r *Registry, _ *nodeState) Result {
	if c.FirstLost != 0 && r.bans[c.Anchor].num >= c.FirstLost {
		return Result{Repeated: true} // something was said of the anchor since
	}
	if !r.rememberKey(banKey, c.By, c.Key, Session{}) {
		return Result{Repeated: true}
	}
	b := banRecord{*c, r.last.Num}
	b.Key, b.FirstLost = "", 0 // they are remembered elsewhere, for as long as they count
	r.bans[c.Anchor] = b
	r.markNamedRecord(recordBan, c.Anchor)
	r.addBanEvent(BanSet, &b.Ban)
	i, ok := r.byAnchor[c.Anchor]
	if _, banned := r.ActiveBan(c.Anchor); !ok || !banned {
		return Result{}
	}
	a := r.liveResult(i)
	a.Ended = r.endSession(i, Banned, c.By)
	return a
}

// Unban lets an anchor start again.
type Unban struct {
	Anchor    string
	By        string
	Key       string // as a Ban's
	FirstLost uint64 // as a Ban's
}

func (*Unban) kind() commandKind { return kindUnban }

func (*Unban) durable() bool { return true }

func (c *Unban) encode(b []byte) []byte {
	return appendUint(appendString(appendString(appendString(b, c.Anchor), c.By), c.Key), c.FirstLost)
}

func (c *Unban) decode(r *reader) {
	c.Anchor, c.By, c.Key, c.FirstLost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Unban) apply(r *Registry, _ *nodeState) Result {
	if c.FirstLost != 0 && r.bans[c.Anchor].num >= c.FirstLost {
		return Result{}
	}
	_, banned := r.bans[c.Anchor]
	if r.rememberKey(unbanKey, c.By, c.Key, Session{}) {
		delete(r.bans, c.Anchor)
		r.markNamedRecord(recordBan, c.Anchor)
		if banned || c.FirstLost == 0 { // who lifts a ban that is none wants the cloud to hear it
			r.addBanEvent(BanLifted, &Ban{Anchor: c.Anchor, By: c.By})
		}
	}
	return Result{}
}

// banRecord is a ban, and the number of the entry that holds it.
type banRecord struct {
	Ban
	num uint64
}

// hasExpired reports whether the ban holds no more at a log time.
func (b *banRecord) hasExpired(time int64) bool { return b.Until != 0 && b.Until <= time }

func appendBanRecord(b []byte, x banRecord) []byte { return appendUint(x.encode(b), x.num) }

// liftExpiredBans drops the bans that are over, and tells that they are: some clouds
// that were told of them know no times.
func (r *Registry) liftExpiredBans() {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if b := r.bans[anchor]; b.hasExpired(r.last.Time) {
			delete(r.bans, anchor)
			r.markNamedRecord(recordBan, anchor)
			r.addBanEvent(BanLifted, &Ban{Anchor: anchor})
		}
	}
}

// ActiveBan returns the anchor's ban, if one holds at the registry's log time.
func (r *Registry) ActiveBan(anchor string) (Ban, bool) {
	b, ok := r.bans[anchor]
	return b.Ban, ok && !b.hasExpired(r.last.Time)
}
