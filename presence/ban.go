package presence

import (
	"maps"
	"slices"
)

// Ban ends the anchor's live session and refuses its starts until a time.
type Ban struct {
	Anchor string
	Until  int64 // Unix milliseconds, log time; 0: for ever
	Reason string
	By     string // user id or name of the client that bans
	Key    string // chosen by By, may be empty: a repeated ban changes nothing
	// FirstLost is set by a node that restores a ban that the log has lost: the
	// number of the first lost entry. A later ban or unban takes precedence.
	FirstLost uint64
}

func (*Ban) kind() commandKind { return kindBan }

func (c *Ban) encode(b []byte) []byte {
	b = appendInt(appendString(b, c.Anchor), c.Until)
	return appendUint(appendString(appendString(appendString(b, c.Reason), c.By), c.Key), c.FirstLost)
}

func (c *Ban) decode(r *decoder) {
	c.Anchor, c.Until = r.string(), r.int()
	c.Reason, c.By, c.Key, c.FirstLost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Ban) apply(r *Registry, _ *nodeState) Result {
	if c.FirstLost != 0 && r.bans[c.Anchor].num >= c.FirstLost {
		return Result{Repeated: true} // a later entry banned or unbanned the anchor
	}
	if !r.addClientKey(banKey, c.By, c.Key, Session{}) {
		return Result{Repeated: true}
	}
	b := banRecord{*c, r.last.Num}
	b.Key, b.FirstLost = "", 0 // keys are remembered apart
	r.bans[c.Anchor] = b
	r.markNamedRecordChanged(recordBan, c.Anchor)
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
	By        string // as in Ban
	Key       string // as in Ban
	FirstLost uint64 // as in Ban
}

func (*Unban) kind() commandKind { return kindUnban }

func (c *Unban) encode(b []byte) []byte {
	return appendUint(appendString(appendString(appendString(b, c.Anchor), c.By), c.Key), c.FirstLost)
}

func (c *Unban) decode(r *decoder) {
	c.Anchor, c.By, c.Key, c.FirstLost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Unban) apply(r *Registry, _ *nodeState) Result {
	if c.FirstLost != 0 && r.bans[c.Anchor].num >= c.FirstLost {
		return Result{}
	}
	_, banned := r.bans[c.Anchor]
	if r.addClientKey(unbanKey, c.By, c.Key, Session{}) {
		delete(r.bans, c.Anchor)
		r.markNamedRecordChanged(recordBan, c.Anchor)
		if banned || c.FirstLost == 0 { // an operator may lift a ban that only the cloud has
			r.addBanEvent(BanLifted, &Ban{Anchor: c.Anchor, By: c.By})
		}
	}
	return Result{}
}

// banRecord is a ban, and the number of its entry.
type banRecord struct {
	Ban
	num uint64
}

// hasExpired reports whether the ban has expired at a log time.
func (b *banRecord) hasExpired(logTime int64) bool   { return b.Until != 0 && b.Until <= logTime }
func appendBanRecord(b []byte, ban banRecord) []byte { return appendUint(ban.encode(b), ban.num) }

// liftExpiredBans removes expired bans and adds their events, because some
// clouds cannot limit the time of a ban.
func (r *Registry) liftExpiredBans() {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if b := r.bans[anchor]; b.hasExpired(r.last.Time) {
			delete(r.bans, anchor)
			r.markNamedRecordChanged(recordBan, anchor)
			r.addBanEvent(BanLifted, &Ban{Anchor: anchor})
		}
	}
}

// ActiveBan returns the anchor's ban, if it has not expired.
func (r *Registry) ActiveBan(anchor string) (ban Ban, isBanned bool) {
	b, ok := r.bans[anchor]
	return b.Ban, ok && !b.hasExpired(r.last.Time)
}
