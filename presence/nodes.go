package presence

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// nodeState is one node as the log has it. A node has a lease as a session has:
// it renews it by each entry.
type nodeState struct {
	name          string
	incarnation   uint64
	process       uint64 // first incarnation of its process
	lastSeq       uint64 // number of its last batch
	maxRules      uint64 // highest version of the rules that it has
	joinedNum     uint64 // number of the first entry of this incarnation
	lastEntryAt   int64  // presence time of its last entry
	isAlive       bool
	isClockPaused bool   // the presence clock stood still since its last entry
	renewer       uint16 // number in the leases that it renewed; 0 when it is not alive

	viewers map[uint32]int64 // viewers on the node, by session index
}

// departedNode holds the viewer counts of a node that was lost or has left. They
// stay for a while, so that its viewers can reconnect.
type departedNode struct {
	name    string
	process uint64
	until   int64 // presence time
	viewers map[uint32]int64
}

// nodeTable holds all nodes, and the viewer counts of departed ones.
type nodeTable struct {
	list     []*nodeState   // sorted by name
	renewers indexSet       // numbers of living nodes; 0 is reserved
	departed []departedNode // in the order of until
}

// find returns the node of that name or nil, and its index in the list.
func (t *nodeTable) find(name string) (node *nodeState, index int) {
	at, ok := slices.BinarySearchFunc(t.list, name, func(p *nodeState, n string) int { return strings.Compare(p.name, n) })
	if ok {
		return t.list[at], at
	}
	return nil, at
}

// Incarnation is the last incarnation of a node that the registry has, 0 for
// none.
func (r *Registry) Incarnation(node string) uint64 {
	if p, _ := r.nodes.find(node); p != nil {
		return p.incarnation
	}
	return 0
}

// Leave removes the node that appends it: its leases stay as they are, since all
// its beats are in the log.
type Leave struct{}

func (*Leave) kind() commandKind      { return kindLeave }
func (*Leave) encode(b []byte) []byte { return b }
func (*Leave) decode(*decoder)        {}

func (*Leave) apply(r *Registry, node *nodeState) Result {
	if !node.isAlive {
		return Result{} // it left before
	}
	for i := range r.leases.all {
		if r.leases.all[i].renewer == node.renewer {
			r.leases.all[i].renewer = 0
		}
	}
	r.markNodeDeparted(node)
	return Result{}
}

// watermark is the oldest last-entry time among living nodes, or the clock where
// none lives. Deadlines after it are not judged, because a node may yet append
// an earlier beat.
func (t *nodeTable) watermark(presenceNow int64) (presenceTime int64) {
	for _, p := range t.list {
		if p.isAlive {
			presenceNow = min(presenceNow, p.lastEntryAt)
		}
	}
	return presenceNow
}

// admitBatch returns the node that appended a batch. It returns nil when the
// batch must be refused: it was applied before, or its incarnation has ended.
func (r *Registry) admitBatch(b *Batch) (admitted *nodeState) {
	node, at := r.nodes.find(b.Node)
	switch {
	case node == nil:
		node = &nodeState{name: b.Node}
		r.nodes.list = slices.Insert(r.nodes.list, at, node)
	case b.Incarnation < node.incarnation, b.Incarnation == node.incarnation && (!node.isAlive || b.Seq <= node.lastSeq):
		return nil
	case b.Incarnation == node.incarnation:
		node.lastSeq = b.Seq
		r.setMaxRules(node, b.MaxRules)
		return node
	}
	viewers := r.nodes.takeReturningViewers(node, b.Process)
	if node.isAlive {
		r.declareNodeLost(node)
	}
	node.incarnation, node.process, node.lastSeq, node.isAlive, node.joinedNum = b.Incarnation, b.Process, b.Seq, true, r.last.Num
	node.lastEntryAt = r.clock
	node.viewers = viewers
	node.renewer = uint16(r.nodes.renewers.allocate())
	r.setMaxRules(node, b.MaxRules)
	r.markNamedRecordChanged(recordNode, node.name)
	return node
}

// takeReturningViewers returns the viewer counts of a process that joins again, so
// that its viewers are counted without a gap and once.
func (t *nodeTable) takeReturningViewers(node *nodeState, process uint64) (viewers map[uint32]int64) {
	if node.isAlive && node.process == process {
		viewers, node.viewers = node.viewers, nil
		return viewers
	}
	for i, d := range t.departed {
		if d.name == node.name && d.process == process {
			t.departed = slices.Delete(t.departed, i, i+1)
			return d.viewers
		}
	}
	return map[uint32]int64{}
}

func (r *Registry) setMaxRules(node *nodeState, rules uint64) {
	if node.maxRules != rules {
		node.maxRules = rules
		r.markNamedRecordChanged(recordNode, node.name)
	}
}

// declareNodeLost declares a node lost. The leases that it renewed last get their full
// time again, once, since their anchors may have sent beats to it.
func (r *Registry) declareNodeLost(node *nodeState) {
	r.leases.restartMatching(r.clock, func(le *lease) bool {
		isRenewer := le.renewer == node.renewer
		if isRenewer {
			le.renewer = 0
		}
		return isRenewer
	})
	r.markNodeDeparted(node)
}

// markNodeDeparted removes a node from the living ones.
func (r *Registry) markNodeDeparted(node *nodeState) {
	if len(node.viewers) > 0 {
		r.nodes.departed = append(r.nodes.departed, departedNode{node.name, node.process, r.clock + departedRetention, node.viewers})
	}
	r.nodes.renewers.release(uint32(node.renewer))
	node.isAlive, node.isClockPaused, node.renewer, node.viewers = false, false, 0, nil
	r.markNamedRecordChanged(recordNode, node.name)
}

// markClockPaused records that the presence clock stands still for a step. Beats
// that living nodes received since their last entries are then younger than
// their ages.
func (t *nodeTable) markClockPaused() {
	for _, p := range t.list {
		p.isClockPaused = p.isAlive
	}
}

// expireNodes declares silent nodes lost, and removes those that were lost for a day.
func (r *Registry) expireNodes() {
	silent := lostAfterTicks * r.settings.Tick()
	for i := 0; i < len(r.nodes.list); i++ {
		p := r.nodes.list[i]
		switch {
		case p.isAlive && p.lastEntryAt+silent < r.clock:
			r.declareNodeLost(p)
		case !p.isAlive && p.lastEntryAt+nodeRetention < r.clock:
			r.nodes.list = slices.Delete(r.nodes.list, i, i+1)
			r.markNamedRecordChanged(recordNode, p.name)
			i--
		}
	}
}

// dropExpiredDepartedViewers drops the viewer counts of departed nodes whose time is
// over.
func (r *Registry) dropExpiredDepartedViewers() {
	for len(r.nodes.departed) > 0 && r.nodes.departed[0].until < r.clock {
		gone := r.nodes.departed[0].viewers
		r.nodes.departed = r.nodes.departed[1:]
		for _, i := range slices.Sorted(maps.Keys(gone)) {
			r.addViewers(i, -gone[i])
		}
	}
}

// likeCount is how many likes of a stream one process of a node has reported.
type likeCount struct {
	process uint64 // nodeState.processHash
	n       int64
}

// processHash identifies a process of a node over all its incarnations. After a
// loss of the log the process joins again, and its likes must not count twice.
func (node *nodeState) processHash() uint64 {
	return xxhash.Sum64(appendUint(appendString(nil, node.name), node.process))
}

// applyCounts takes over the viewers and likes that a node reports.
func (r *Registry) applyCounts(b *Batch, node *nodeState) {
	for _, c := range b.Viewers {
		if r.leases.find(c.Lease) == nil {
			continue
		}
		d := c.N - node.viewers[c.Index]
		if c.N == 0 {
			delete(node.viewers, c.Index)
		} else {
			node.viewers[c.Index] = c.N
		}
		r.addViewers(c.Index, d)
	}
	var process uint64
	if len(b.Likes) > 0 {
		process = node.processHash()
	}
	for _, c := range b.Likes {
		if r.leases.find(c.Lease) == nil {
			continue
		}
		if d := r.sessions[c.Index].raiseLikesTo(process, c.N); d > 0 {
			r.changeStream(c.Index, ByCounts, func(st *Stream) { st.Likes += d })
		}
	}
}

// raiseLikesTo takes over the total that a process reports, and returns the
// difference, which may be negative.
func (s *liveSession) raiseLikesTo(processHash uint64, total int64) (difference int64) {
	i := slices.IndexFunc(s.likes, func(l likeCount) bool { return l.process == processHash })
	if i < 0 {
		i = len(s.likes)
		s.likes = append(s.likes, likeCount{process: processHash})
	}
	difference = total - s.likes[i].n
	s.likes[i].n = max(total, s.likes[i].n)
	return difference
}

// addViewers adds to a stream's viewers.
func (r *Registry) addViewers(index uint32, delta int64) {
	if delta == 0 {
		return
	}
	s := r.sessions[index]
	st := *s.stream
	st.Viewers += delta
	r.changes = append(r.changes, Change{Old: s.stream, New: &st, Cause: ByCounts, Socket: s.socket})
	s.stream = &st
	if st.Viewers > st.PeakViewers {
		st.PeakViewers = st.Viewers
		r.markSessionChanged(index) // unlike the present count, the peak is state
	}
}

// dropSessionViewers drops the viewer counts of an index whose session has ended.
func (t *nodeTable) dropSessionViewers(index uint32) {
	for _, p := range t.list {
		delete(p.viewers, index)
	}
	for _, d := range t.departed {
		delete(d.viewers, index)
	}
}

// ViewedSessions returns the sessions that have viewers counted for a process,
// or will have when it joins again.
func (r *Registry) ViewedSessions(node string, process uint64) (sessions []Session) {
	add := func(viewers map[uint32]int64) {
		for i := range viewers {
			sessions = append(sessions, r.sessions[i].stream.Session)
		}
	}
	if p, _ := r.nodes.find(node); p != nil {
		add(p.viewers)
	}
	for _, d := range r.nodes.departed {
		if d.name == node && d.process == process {
			add(d.viewers)
		}
	}
	return sessions
}

// Leader is the name of the node that lives longest by the registry. It does
// what one node does for all. Empty when no node lives.
func (r *Registry) Leader() (nodeName string) {
	var leader *nodeState
	for _, p := range r.nodes.list {
		if p.isAlive && (leader == nil || p.joinedNum < leader.joinedNum) {
			leader = p
		}
	}
	if leader == nil {
		return ""
	}
	return leader.name
}

// IsRenewedThrough reports whether a living node renewed the lease last. If so,
// the node can take the next beat without an entry of its own.
func (r *Registry) IsRenewedThrough(l Lease, node string) bool {
	le := r.leases.find(l)
	p, _ := r.nodes.find(node)
	return le != nil && p != nil && p.isAlive && le.renewer == p.renewer
}

// IsAlive reports whether a node lives, by the registry.
func (r *Registry) IsAlive(node string) bool {
	p, _ := r.nodes.find(node)
	return p != nil && p.isAlive
}

// LivingNodeCount is the number of living nodes.
func (r *Registry) LivingNodeCount() (n int) {
	for _, p := range r.nodes.list {
		if p.isAlive {
			n++
		}
	}
	return n
}

// rank returns how many living nodes come before a node by name, and how many
// live, at least 1.
func (t *nodeTable) rank(node string) (before, living int) {
	for _, p := range t.list {
		if p.isAlive {
			living++
			if p.name < node {
				before++
			}
		}
	}
	return before, max(1, living)
}

// CommonMaxRules is the highest version of the rules that every living node has.
func (r *Registry) CommonMaxRules() (version uint64) {
	common := uint64(0)
	for _, p := range r.nodes.list {
		if p.isAlive && (common == 0 || p.maxRules < common) {
			common = p.maxRules
		}
	}
	return max(common, r.rules)
}

func appendNode(b []byte, node *nodeState) []byte {
	for _, v := range [...]uint64{node.incarnation, node.process, node.lastSeq, node.maxRules, node.joinedNum, uint64(node.renewer)} {
		b = appendUint(b, v)
	}
	b = appendBool(appendBool(appendInt(b, node.lastEntryAt), node.isAlive), node.isClockPaused)
	return appendViewerCounts(b, node.viewers)
}

func appendViewerCounts(b []byte, m map[uint32]int64) []byte {
	b = appendUint(b, uint64(len(m)))
	for _, i := range slices.Sorted(maps.Keys(m)) {
		b = appendUint(appendUint(b, uint64(i)), uint64(m[i]))
	}
	return b
}

func (r *decoder) viewerCounts() map[uint32]int64 {
	n := r.listLength()
	m := make(map[uint32]int64, n)
	for range n {
		index := uint32(r.uintUpTo(math.MaxUint32))
		m[index] = r.streamCount()
	}
	return m
}

func appendLikeCount(b []byte, l likeCount) []byte {
	return appendUint(appendUint(b, l.process), uint64(l.n))
}

func (r *decoder) likeCount() likeCount { return likeCount{r.uint(), r.streamCount()} }
