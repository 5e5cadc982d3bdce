package presence

import (
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// nodeState is one node as the log knows it. A node is leased just as an anchor is:
// it beats by appending.
type nodeState struct {
	name          string
	incarnation   uint64
	process       uint64 // the first boot of its process
	lastSeq       uint64 // of its last batch
	maxRules      uint64 // the highest rules that it can apply
	joinedNum     uint64 // the entry with which this boot joined
	lastEntryAt   int64  // presence time of its last entry
	isAlive       bool
	isClockPaused bool   // the clock stood still since its last entry
	renewer       uint16 // what leases renewed through it carry; 0 when not alive

	viewers map[uint32]int64 // absolute, by index
}

// departedNode are the viewer counts of a node that was lost or has left: they
// stay for a while so that its viewers can return elsewhere, or the node itself.
type departedNode struct {
	name    string
	process uint64
	until   int64
	viewers map[uint32]int64
}

// nodeTable are all nodes by name, and the counts of those that are gone.
type nodeTable struct {
	list     []*nodeState // sorted by name
	renewers indexSet     // in use; via 0 is nobody's
	departed []departedNode
}

// find returns the peer of that name, and where it is or would be.
func (ps *nodeTable) find(name string) (*nodeState, int) {
	at, ok := slices.BinarySearchFunc(ps.list, name, func(p *nodeState, n string) int { return strings.Compare(p.name, n) })
	if ok {
		return ps.list[at], at
	}
	return nil, at
}

// Incarnation is the last boot of a node that the registry knows of, 0 for none.
func (r *Registry) Incarnation(node string) uint64 {
	if p, _ := r.peers.find(node); p != nil {
		return p.incarnation
	}
	return 0
}

// Leave says that the node goes on purpose: nobody waits for it.
type Leave struct{}

func (*Leave) kind() commandKind { return kindLeave }

func (*Leave) durable() bool { return false }

func (*Leave) encode(b []byte) []byte { return b }

func (*Leave) decode(*reader) {}

// leave is a node that goes on purpose: all that it heard is in the log.
func (*Leave) apply(r *Registry, p *nodeState) Result {
	if !p.isAlive {
		return Result{} // said twice
	}
	for i := range r.leases.all {
		if r.leases.all[i].renewer == p.renewer {
			r.leases.all[i].renewer = 0
		}
	}
	r.retireNode(p)
	return Result{}
}

// watermark is the oldest among the last entries of all living nodes: no lease is
// judged before every node that may have heard its anchor has spoken.
func (ps *nodeTable) watermark(clock int64) int64 {
	for _, p := range ps.list {
		if p.isAlive {
			clock = min(clock, p.lastEntryAt)
		}
	}
	return clock
}

// admitBatch finds out who speaks. It returns nil when the batch is to be refused:
// it was applied before, or comes from a boot that is over.
func (r *Registry) admitBatch(b *Batch) *nodeState {
	p, at := r.peers.find(b.Node)
	switch {
	case p == nil:
		p = &nodeState{name: b.Node}
		r.peers.list = slices.Insert(r.peers.list, at, p)
	case b.Incarnation < p.incarnation, b.Incarnation == p.incarnation && (!p.isAlive || b.Seq <= p.lastSeq):
		return nil
	case b.Incarnation == p.incarnation:
		p.lastSeq = b.Seq
		r.setMaxRules(p, b.MaxRules)
		return p
	}
	viewers := r.peers.returningViewers(p, b.Process)
	if p.isAlive {
		r.loseNode(p)
	}
	p.incarnation, p.process, p.lastSeq, p.isAlive, p.joinedNum = b.Incarnation, b.Process, b.Seq, true, r.last.Num
	p.lastEntryAt = r.clock
	p.viewers = viewers
	p.renewer = uint16(r.peers.renewers.allocate())
	r.setMaxRules(p, b.MaxRules)
	r.markNamedRecord(recordNode, p.name)
	return p
}

// returningViewers hands out the viewer counts of a process that joins again, so that
// its viewers are counted all the while, and once.
func (ps *nodeTable) returningViewers(p *nodeState, origin uint64) (viewers map[uint32]int64) {
	if p.isAlive && p.process == origin {
		viewers, p.viewers = p.viewers, nil
		return viewers
	}
	for i, d := range ps.departed {
		if d.name == p.name && d.process == origin {
			ps.departed = slices.Delete(ps.departed, i, i+1)
			return d.viewers
		}
	}
	return map[uint32]int64{}
}

func (r *Registry) setMaxRules(p *nodeState, rules uint64) {
	if p.maxRules != rules {
		p.maxRules = rules
		r.markNamedRecord(recordNode, p.name)
	}
}

// loseNode takes a node for lost: the leases last renewed through it start anew,
// once, since its anchors may have been beating into a dead socket.
func (r *Registry) loseNode(p *nodeState) {
	r.leases.restart(r.clock, func(le *lease) bool {
		mine := le.renewer == p.renewer
		if mine {
			le.renewer = 0
		}
		return mine
	})
	r.retireNode(p)
}

// retireNode takes a node out of the living.
func (r *Registry) retireNode(p *nodeState) {
	if len(p.viewers) > 0 {
		r.peers.departed = append(r.peers.departed, departedNode{p.name, p.process, r.clock + departedRetention, p.viewers})
	}
	r.peers.renewers.release(uint32(p.renewer))
	p.isAlive, p.isClockPaused, p.renewer, p.viewers = false, false, 0, nil
	r.markNamedRecord(recordNode, p.name)
}

// pauseClocks notes that the clock stands still for a step. Whatever the living have
// heard since their last entries is younger than its age says.
func (ps *nodeTable) pauseClocks() {
	for _, p := range ps.list {
		p.isClockPaused = p.isAlive
	}
}

// loseSilentNodes loses the silent, lets the counts of the departed go, and forgets
// nodes that were dead for a day.
func (r *Registry) loseSilentNodes() {
	silent := lostAfterTicks * r.settings.Tick()
	for i := 0; i < len(r.peers.list); i++ {
		p := r.peers.list[i]
		switch {
		case p.isAlive && p.lastEntryAt+silent < r.clock:
			r.loseNode(p)
		case !p.isAlive && p.lastEntryAt+nodeRetention < r.clock:
			r.peers.list = slices.Delete(r.peers.list, i, i+1)
			r.markNamedRecord(recordNode, p.name)
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

// likeCount is how many likes of a stream one process of a node reported.
type likeCount struct {
	process uint64 // names the process, see liker
	n       int64
}

// processHash names a process of a node, whatever number it joins the log by. After a
// loss that number is another one, and its likes are not to count twice.
func (p *nodeState) processHash() uint64 {
	return xxhash.Sum64(appendUint(appendString(nil, p.name), p.process))
}

// applyCounts takes in what a node reports of its viewers and likes.
func (r *Registry) applyCounts(b *Batch, p *nodeState) {
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
		by = p.processHash()
	}
	for _, c := range b.Likes {
		if r.leases.find(c.Lease) == nil {
			continue
		}
		if d := r.sessions[c.Index].addLikes(by, c.N); d > 0 {
			r.changeStream(c.Index, ByCounts, func(st *Stream) { st.Likes += d })
		}
	}
}

// addLikes takes in what a node reports in all, and returns by how much it rose.
func (s *liveSession) addLikes(by uint64, n int64) int64 {
	i := slices.IndexFunc(s.likes, func(l likeCount) bool { return l.process == by })
	if i < 0 {
		i = len(s.likes)
		s.likes = append(s.likes, likeCount{process: by})
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
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: ByCounts, Socket: s.socket})
	s.stream = &st
	if st.Viewers > st.PeakViewers {
		st.PeakViewers = st.Viewers
		r.markSessionChanged(i) // the peak is for ever, the present count is the nodes'
	}
}

// dropViewers forgets the viewers of an index whose session has ended.
func (ps *nodeTable) dropViewers(i uint32) {
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
		if d.name == node && d.process == origin {
			add(d.viewers)
		}
	}
	return of
}

// Leader is the longest-living node by the registry; it does what only one
// node should do. Empty when no node lives.
func (r *Registry) Leader() string {
	var keeper *nodeState
	for _, p := range r.peers.list {
		if p.isAlive && (keeper == nil || p.joinedNum < keeper.joinedNum) {
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
	return le != nil && p != nil && p.isAlive && le.renewer == p.renewer
}

// IsAlive reports whether a node lives, as the log has it.
func (r *Registry) IsAlive(node string) bool {
	p, _ := r.peers.find(node)
	return p != nil && p.isAlive
}

// LivingNodes is how many nodes live.
func (r *Registry) LivingNodes() (n int) {
	for _, p := range r.peers.list {
		if p.isAlive {
			n++
		}
	}
	return n
}

// rank is how many of the living come before a node, and how many there are.
func (ps *nodeTable) rank(node string) (before, of int) {
	for _, p := range ps.list {
		if p.isAlive {
			of++
			if p.name < node {
				before++
			}
		}
	}
	return before, max(1, of)
}

// CommonRules is the highest version of the rules that every living node can apply.
func (r *Registry) CommonRules() uint64 {
	known := uint64(0)
	for _, p := range r.peers.list {
		if p.isAlive && (known == 0 || p.maxRules < known) {
			known = p.maxRules
		}
	}
	return max(known, r.rules)
}

func appendNode(b []byte, p *nodeState) []byte {
	for _, v := range [...]uint64{p.incarnation, p.process, p.lastSeq, p.maxRules, p.joinedNum, uint64(p.renewer)} {
		b = appendUint(b, v)
	}
	b = appendBool(appendBool(appendInt(b, p.lastEntryAt), p.isAlive), p.isClockPaused)
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
	n := r.length()
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

func appendLikes(b []byte, likes []likeCount) []byte {
	b = appendUint(b, uint64(len(likes)))
	for _, l := range likes {
		b = appendUint(appendUint(b, l.process), uint64(l.n))
	}
	return b
}

func (r *reader) likes() []likeCount {
	n := r.length()
	if n == 0 {
		return nil
	}
	likes := make([]likeCount, 0, n)
	for range n {
		by, v := r.uint(), r.uint()
		if v > MaxCount {
			r.fail()
		}
		likes = append(likes, likeCount{by, int64(v)})
	}
	return likes
}
