package presence

import (
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// peer is one node as the log knows it. A node is leased just as an anchor is:
// it beats by appending.
type peer struct {
	name   string
	boot   uint64
	origin uint64 // the first boot of its process
	no     uint64 // of its last batch
	knows  uint64 // the highest rules that it can apply
	joined uint64 // the entry with which this boot joined
	last   int64  // presence time of its last entry
	alive  bool
	paused bool   // the clock stood still since its last entry
	via    uint16 // what leases renewed through it carry; 0 when not alive

	viewers map[uint32]int64 // absolute, by index
}

// departed are the viewer counts of a node that was lost or has left: they
// stay for a while so that its viewers can return elsewhere, or the node itself.
type departed struct {
	name    string
	origin  uint64
	until   int64
	viewers map[uint32]int64
}

// peers are all nodes by name, and the counts of those that are gone.
type peers struct {
	list     []*peer // sorted by name
	vias     indexes // in use; via 0 is nobody's
	departed []departed
}

// find returns the peer of that name, and where it is or would be.
func (ps *peers) find(name string) (*peer, int) {
	at, ok := slices.BinarySearchFunc(ps.list, name, func(p *peer, n string) int { return strings.Compare(p.name, n) })
	if ok {
		return ps.list[at], at
	}
	return nil, at
}

// Incarnation is the last boot of a node that the registry knows of, 0 for none.
func (r *Registry) Incarnation(node string) uint64 {
	if p, _ := r.peers.find(node); p != nil {
		return p.boot
	}
	return 0
}

// Leave says that the node goes on purpose: nobody waits for it.
type Leave struct{}

func (*Leave) kind() kind { return kindLeave }

func (*Leave) durable() bool { return false }

func (*Leave) encode(b []byte) []byte { return b }

func (*Leave) decode(*reader) {}

// leave is a node that goes on purpose: all that it heard is in the log.
func (*Leave) apply(r *Registry, p *peer) Result {
	if !p.alive {
		return Result{} // said twice
	}
	for i := range r.leases.all {
		if r.leases.all[i].via == p.via {
			r.leases.all[i].via = 0
		}
	}
	r.retire(p)
	return Result{}
}

// heard is the oldest among the last entries of all living nodes: no lease is
// judged before every node that may have heard its anchor has spoken.
func (ps *peers) heard(clock int64) int64 {
	for _, p := range ps.list {
		if p.alive {
			clock = min(clock, p.last)
		}
	}
	return clock
}

// admit finds out who speaks. It returns nil when the batch is to be refused:
// it was applied before, or comes from a boot that is over.
func (r *Registry) admit(b *Batch) *peer {
	p, at := r.peers.find(b.Node)
	switch {
	case p == nil:
		p = &peer{name: b.Node}
		r.peers.list = slices.Insert(r.peers.list, at, p)
	case b.Boot < p.boot, b.Boot == p.boot && (!p.alive || b.No <= p.no):
		return nil
	case b.Boot == p.boot:
		p.no = b.No
		r.knows(p, b.Knows)
		return p
	}
	viewers := r.peers.returning(p, b.Origin)
	if p.alive {
		r.lose(p)
	}
	p.boot, p.origin, p.no, p.alive, p.joined = b.Boot, b.Origin, b.No, true, r.last.Num
	p.last = r.clock
	p.viewers = viewers
	p.via = uint16(r.peers.vias.get())
	r.knows(p, b.Knows)
	r.markName(recordPeer, p.name)
	return p
}

// returning hands out the viewer counts of a process that joins again, so that
// its viewers are counted all the while, and once.
func (ps *peers) returning(p *peer, origin uint64) (viewers map[uint32]int64) {
	if p.alive && p.origin == origin {
		viewers, p.viewers = p.viewers, nil
		return viewers
	}
	for i, d := range ps.departed {
		if d.name == p.name && d.origin == origin {
			ps.departed = slices.Delete(ps.departed, i, i+1)
			return d.viewers
		}
	}
	return map[uint32]int64{}
}

func (r *Registry) knows(p *peer, rules uint64) {
	if p.knows != rules {
		p.knows = rules
		r.markName(recordPeer, p.name)
	}
}

// lose takes a node for lost: the leases last renewed through it start anew,
// once, since its anchors may have been beating into a dead socket.
func (r *Registry) lose(p *peer) {
	r.leases.rearm(r.clock, func(le *lease) bool {
		mine := le.via == p.via
		if mine {
			le.via = 0
		}
		return mine
	})
	r.retire(p)
}

// retire takes a node out of the living.
func (r *Registry) retire(p *peer) {
	if len(p.viewers) > 0 {
		r.peers.departed = append(r.peers.departed, departed{p.name, p.origin, r.clock + keepDeparted, p.viewers})
	}
	r.peers.vias.put(uint32(p.via))
	p.alive, p.paused, p.via, p.viewers = false, false, 0, nil
	r.markName(recordPeer, p.name)
}

// pause notes that the clock stands still for a step. Whatever the living have
// heard since their last entries is younger than its age says.
func (ps *peers) pause() {
	for _, p := range ps.list {
		p.paused = p.alive
	}
}

// losePeers loses the silent, lets the counts of the departed go, and forgets
// nodes that were dead for a day.
func (r *Registry) losePeers() {
	silent := lostAfter * r.settings.Tick()
	for i := 0; i < len(r.peers.list); i++ {
		p := r.peers.list[i]
		switch {
		case p.alive && p.last+silent < r.clock:
			r.lose(p)
		case !p.alive && p.last+keepPeers < r.clock:
			r.peers.list = slices.Delete(r.peers.list, i, i+1)
			r.markName(recordPeer, p.name)
			i--
		}
	}
	for len(r.peers.departed) > 0 && r.peers.departed[0].until < r.clock {
		gone := r.peers.departed[0].viewers
		r.peers.departed = r.peers.departed[1:]
		for _, i := range slices.Sorted(maps.Keys(gone)) {
			r.addViewers(i, -gone[i])
		}
	}
}

// liked is how many likes of a stream one process of a node reported.
type liked struct {
	by uint64 // names the process, see liker
	n  int64
}

// liker names a process of a node, whatever number it joins the log by. After a
// loss that number is another one, and its likes are not to count twice.
func (p *peer) liker() uint64 {
	return xxhash.Sum64(appendUint(appendString(nil, p.name), p.origin))
}

// count takes in what a node reports of its viewers and likes.
func (r *Registry) count(b *Batch, p *peer) {
	for _, c := range b.Viewers {
		if r.leases.find(c.Lease) == nil {
			continue
		}
		d := c.N - p.viewers[c.Index]
		if c.N == 0 {
			delete(p.viewers, c.Index)
		} else {
			p.viewers[c.Index] = c.N
		}
		r.addViewers(c.Index, d)
	}
	var by uint64
	if len(b.Likes) > 0 {
		by = p.liker()
	}
	for _, c := range b.Likes {
		if r.leases.find(c.Lease) == nil {
			continue
		}
		if d := r.sessions[c.Index].like(by, c.N); d > 0 {
			r.change(c.Index, ByCounts, func(st *Stream) { st.Likes += d })
		}
	}
}

// like takes in what a node reports in all, and returns by how much it rose.
func (s *session) like(by uint64, n int64) int64 {
	i := slices.IndexFunc(s.likes, func(l liked) bool { return l.by == by })
	if i < 0 {
		i = len(s.likes)
		s.likes = append(s.likes, liked{by: by})
	}
	d := n - s.likes[i].n
	s.likes[i].n = max(n, s.likes[i].n)
	return d
}

func (r *Registry) addViewers(i uint32, d int64) {
	if d == 0 {
		return
	}
	s := r.sessions[i]
	st := *s.stream
	st.Viewers += d
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: ByCounts, Holder: s.holder})
	s.stream = &st
	if st.Viewers > st.Peak {
		st.Peak = st.Viewers
		r.touch(i) // the peak is for ever, the present count is the nodes'
	}
}

// drop forgets the viewers of an index whose session has ended.
func (ps *peers) drop(i uint32) {
	for _, p := range ps.list {
		delete(p.viewers, i)
	}
	for _, d := range ps.departed {
		delete(d.viewers, i)
	}
}

// ViewedSessions are the sessions of which a process's viewers are counted, or will be
// again when it joins.
func (r *Registry) ViewedSessions(node string, origin uint64) (of []Session) {
	add := func(viewers map[uint32]int64) {
		for i := range viewers {
			of = append(of, r.sessions[i].stream.Session)
		}
	}
	if p, _ := r.peers.find(node); p != nil {
		add(p.viewers)
	}
	for _, d := range r.peers.departed {
		if d.name == node && d.origin == origin {
			add(d.viewers)
		}
	}
	return of
}

// Keeper is the longest-living node by the registry; it does what only one
// node should do. Empty when no node lives.
func (r *Registry) Keeper() string {
	var keeper *peer
	for _, p := range r.peers.list {
		if p.alive && (keeper == nil || p.joined < keeper.joined) {
			keeper = p
		}
	}
	if keeper == nil {
		return ""
	}
	return keeper.name
}

// IsRenewedThrough reports whether a lease was last renewed through a node: then its next
// beat needs no entry of its own to be counted as heard there.
func (r *Registry) IsRenewedThrough(l Lease, node string) bool {
	le := r.leases.find(l)
	p, _ := r.peers.find(node)
	return le != nil && p != nil && p.alive && le.via == p.via
}

// IsAlive reports whether a node lives, as the log has it.
func (r *Registry) IsAlive(node string) bool {
	p, _ := r.peers.find(node)
	return p != nil && p.alive
}

// Peers is how many nodes live.
func (r *Registry) Peers() (n int) {
	for _, p := range r.peers.list {
		if p.alive {
			n++
		}
	}
	return n
}

// rank is how many of the living come before a node, and how many there are.
func (ps *peers) rank(node string) (before, of int) {
	for _, p := range ps.list {
		if p.alive {
			of++
			if p.name < node {
				before++
			}
		}
	}
	return before, max(1, of)
}

// KnownRules is the highest version of the rules that every living node can apply.
func (r *Registry) KnownRules() uint64 {
	known := uint64(0)
	for _, p := range r.peers.list {
		if p.alive && (known == 0 || p.knows < known) {
			known = p.knows
		}
	}
	return max(known, r.rules)
}

func appendPeer(b []byte, p *peer) []byte {
	for _, v := range [...]uint64{p.boot, p.origin, p.no, p.knows, p.joined, uint64(p.via)} {
		b = appendUint(b, v)
	}
	b = appendBool(appendBool(appendInt(b, p.last), p.alive), p.paused)
	return appendCountMap(b, p.viewers)
}

func appendCountMap(b []byte, m map[uint32]int64) []byte {
	b = appendUint(b, uint64(len(m)))
	for _, i := range slices.Sorted(maps.Keys(m)) {
		b = appendUint(appendUint(b, uint64(i)), uint64(m[i]))
	}
	return b
}

func (r *reader) countMap() map[uint32]int64 {
	n := r.count()
	m := make(map[uint32]int64, n)
	for range n {
		i, v := r.uint(), r.uint()
		if i > uint64(^uint32(0)) || v > MaxCount {
			r.fail()
		}
		m[uint32(i)] = int64(v)
	}
	return m
}

func appendLikes(b []byte, likes []liked) []byte {
	b = appendUint(b, uint64(len(likes)))
	for _, l := range likes {
		b = appendUint(appendUint(b, l.by), uint64(l.n))
	}
	return b
}

func (r *reader) likes() []liked {
	n := r.count()
	if n == 0 {
		return nil
	}
	likes := make([]liked, 0, n)
	for range n {
		by, v := r.uint(), r.uint()
		if v > MaxCount {
			r.fail()
		}
		likes = append(likes, liked{by, int64(v)})
	}
	return likes
}
