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
	// Lost is set by a node that says the ban again, since the log has lost it:
	// the number of the first entry that was lost. What was said since counts more.
	Lost uint64
}

func (*Ban) kind() kind { return kindBan }

func (*Ban) durable() bool { return true }

func (c *Ban) encode(b []byte) []byte {
	b = appendInt(appendString(b, c.Anchor), c.Until)
	return appendUint(appendString(appendString(appendString(b, c.Reason), c.By), c.Key), c.Lost)
}

func (c *Ban) decode(r *reader) {
	c.Anchor, c.Until = r.string(), r.int()
	c.Reason, c.By, c.Key, c.Lost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Ban) apply(r *Registry, _ *peer) Result {
	if c.Lost != 0 && r.bans[c.Anchor].num >= c.Lost {
		return Result{Again: true} // something was said of the anchor since
	}
	if !r.learn(banKey, c.By, c.Key, Session{}) {
		return Result{Again: true}
	}
	b := banned{*c, r.last.Num}
	b.Key, b.Lost = "", 0 // they are remembered elsewhere, for as long as they count
	r.bans[c.Anchor] = b
	r.markName(recordBan, c.Anchor)
	r.tellBan(BanSet, &b.Ban)
	i, ok := r.byAnchor[c.Anchor]
	if _, banned := r.Banned(c.Anchor); !ok || !banned {
		return Result{}
	}
	a := r.granted(i)
	a.Ended = r.end(i, Banned, c.By)
	return a
}

// Unban lets an anchor start again.
type Unban struct {
	Anchor string
	By     string
	Key    string // as a Ban's
	Lost   uint64 // as a Ban's
}

func (*Unban) kind() kind { return kindUnban }

func (*Unban) durable() bool { return true }

func (c *Unban) encode(b []byte) []byte {
	return appendUint(appendString(appendString(appendString(b, c.Anchor), c.By), c.Key), c.Lost)
}

func (c *Unban) decode(r *reader) {
	c.Anchor, c.By, c.Key, c.Lost = r.string(), r.string(), r.string(), r.uint()
}

func (c *Unban) apply(r *Registry, _ *peer) Result {
	if c.Lost != 0 && r.bans[c.Anchor].num >= c.Lost {
		return Result{}
	}
	_, banned := r.bans[c.Anchor]
	if r.learn(unbanKey, c.By, c.Key, Session{}) {
		delete(r.bans, c.Anchor)
		r.markName(recordBan, c.Anchor)
		if banned || c.Lost == 0 { // who lifts a ban that is none wants the cloud to hear it
			r.tellBan(BanLifted, &Ban{Anchor: c.Anchor, By: c.By})
		}
	}
	return Result{}
}

// banned is a ban, and the number of the entry that holds it.
type banned struct {
	Ban
	num uint64
}

// over reports whether the ban holds no more at a log time.
func (b *banned) over(time int64) bool { return b.Until != 0 && b.Until <= time }

func appendBanned(b []byte, x banned) []byte { return appendUint(x.encode(b), x.num) }

// forgetBans drops the bans that are over, and tells that they are: some clouds
// that were told of them know no times.
func (r *Registry) forgetBans() {
	for _, anchor := range slices.Sorted(maps.Keys(r.bans)) {
		if b := r.bans[anchor]; b.over(r.last.Time) {
			delete(r.bans, anchor)
			r.markName(recordBan, anchor)
			r.tellBan(BanLifted, &Ban{Anchor: anchor})
		}
	}
}

// Banned returns the anchor's ban, if one holds at the registry's log time.
func (r *Registry) Banned(anchor string) (Ban, bool) {
	b, ok := r.bans[anchor]
	return b.Ban, ok && !b.over(r.last.Time)
}
