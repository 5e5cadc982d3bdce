package presence

import "slices"

// RestoreSession puts back a session that the log has lost, or the parts of it that
// changed in what was lost. It never undoes what the log has come to since: it
// is refused when the session has ended, when its anchor is banned, when
// another anchor has its code, and when its anchor has started since.
type RestoreSession struct {
	// FirstLost is the number of the first entry that the log has lost.
	FirstLost uint64
	Params    LeaseParams
	Keys      []string // by which its client may ask for it again, see keyName

	session *liveSession
}

func (*RestoreSession) kind() commandKind { return kindRestoreSession }

func (*RestoreSession) durable() bool { return true }

func (c *RestoreSession) encode(b []byte) []byte {
	b = appendStrings(appendUint(b, c.FirstLost), c.Keys)
	b = appendLeaseParams(b, c.Params)
	return appendLikes(appendLiveSession(b, c.session), c.session.likes)
}

func (c *RestoreSession) decode(r *reader) {
	c.FirstLost, c.Keys = r.uint(), r.strings()
	c.Params = r.leaseParams()
	c.session = r.liveSession()
	c.session.likes = r.likes()
	if !c.Params.areValid() {
		r.fail()
	}
}

// restore puts back a session, or what of it was lost.
func (c *RestoreSession) apply(r *Registry, _ *nodeState) Result {
	was := c.session.stream
	if i, live := r.bySession[was.Session]; live {
		r.restoreParts(i, c)
		return r.liveResult(i)
	}
	if r.ended.bySession[was.Session] != nil {
		return r.goneResult(was.Session)
	}
	if _, banned := r.ActiveBan(was.Anchor); banned {
		return Result{Refusal: AnchorBanned}
	}
	if i, taken := r.byCode[was.Code]; taken && r.sessions[i].stream.Anchor != was.Anchor {
		return Result{Refusal: CodeTaken}
	}
	if i, live := r.byAnchor[was.Anchor]; live {
		if !r.isDuplicateStart(i, c) && r.isNewerStart(i, c) {
			return Result{Refusal: AlreadyLive, Stream: r.sessions[i].stream}
		}
		r.endSession(i, TakenOver, "")
	}
	i := r.insertRestored(c)
	r.restoreKeys(c.Keys, was.Session)
	return r.liveResult(i)
}

// isNewerStart reports whether a live session is to stay rather than to give way to
// an older node's one of the same anchor. One that was put back as well, and is
// heard again, is where its anchor is, whatever the clock said at their starts.
func (r *Registry) isNewerStart(i uint32, c *RestoreSession) bool {
	live := r.sessions[i]
	if live.startNum != 0 {
		return live.startNum >= c.FirstLost
	}
	return r.leases.all[i].renewer != 0 || live.stream.StartedAt >= c.session.stream.StartedAt
}

// isDuplicateStart reports whether a live session was begun by the same start as one that is
// put back, which was tried twice, and only of the latter there is a sign that its
// client was told of it.
func (r *Registry) isDuplicateStart(i uint32, c *RestoreSession) bool {
	s := r.sessions[i]
	return !s.isAcknowledged() && c.session.isAcknowledged() && slices.ContainsFunc(c.Keys, func(name string) bool {
		k, known := r.keys.byName[name]
		return known && k.session == s.stream.Session
	})
}

// isAcknowledged reports whether a client has beaten for a session, or asked for it again.
func (s *liveSession) isAcknowledged() bool {
	return s.stream.State != Starting || s.socketNum != s.startNum
}

// queueRestores enters a lost session under an index of its own, with its lease in
// full: whoever held it may have been beating all the while.
func (r *Registry) insertRestored(c *RestoreSession) uint32 {
	i := r.allocate()
	s, st := *c.session, *c.session.stream
	st.Index, st.Viewers = i, 0 // whoever has viewers of it says so again
	s.stream, s.startNum = &st, 0
	s.restored = nil
	r.markRestored(&s, partDetails, c.FirstLost, c.session.detailsNum)
	r.markRestored(&s, partSocket, c.FirstLost, c.session.socketNum)
	r.markRestored(&s, partMedia, c.FirstLost, c.session.mediaNum)
	s.media.clampTimes(r.clock)
	s.likes = slices.Clone(s.likes)
	r.insert(i, &s)
	r.leases.start(i, st.Session.leaseTag(), 0, r.clock, !s.sources.Has(FromBeats))
	le := &r.leases.all[i]
	if st.State == Live {
		le.flags &^= leaseNotLive
	}
	// A shorter interval than the present one would end before the lease is looked
	// at, which it is by the present terms: then they are what it gets.
	if c.Params.Interval >= r.settings.Interval {
		if use, room := r.leases.makeRoomAndAddParams(c.Params); room {
			le.params = use
		}
	}
	r.scheduleMediaDeadline(i)
	r.markSessionChanged(i)
	r.changes = append(r.changes, Change{New: &st, Cause: ByRestore, Socket: s.socket})
	return i
}

// restoreParts takes over the parts of a live session that changed in what was lost,
// unless they have changed again since.
func (r *Registry) restoreParts(i uint32, c *RestoreSession) {
	s, was := r.sessions[i], c.session
	if s.isStale(was, partDetails, c.FirstLost) {
		r.markRestored(s, partDetails, c.FirstLost, was.detailsNum)
		r.changeStream(i, ByRestore, func(st *Stream) {
			st.Details = was.stream.Details
		})
	}
	if was.stream.State != Starting && s.stream.State == Starting {
		r.markLive(i, ByRestore) // it was heard, and its lease is full
	}
	if s.isStale(was, partSocket, c.FirstLost) {
		r.markRestored(s, partSocket, c.FirstLost, was.socketNum)
		s.socket, s.attached = was.socket, was.attached
		s.copyEvidence(was, FromSocket)
		r.markSessionChanged(i)
		r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByRestore, Socket: s.socket})
	}
	if s.isStale(was, partMedia, c.FirstLost) {
		r.markRestored(s, partMedia, c.FirstLost, was.mediaNum)
		r.restoreMedia(i, was)
	}
	if first := was.stream.StartedAt; first < s.stream.StartedAt { // its start came again
		r.changeStream(i, ByRestore, func(st *Stream) { st.StartedAt = first })
	}
	liked := int64(0)
	for _, l := range was.likes {
		liked += max(0, s.addLikes(l.process, l.n))
	}
	if liked > 0 {
		r.changeStream(i, ByCounts, func(st *Stream) { st.Likes += liked })
	}
}

// restoreMedia takes over what the cloud said of a push.
func (r *Registry) restoreMedia(i uint32, was *liveSession) {
	s := r.sessions[i]
	s.media = was.media
	s.media.clampTimes(r.clock)
	s.copyEvidence(was, FromCallback)
	s.copyEvidence(was, FromPoll)
	r.scheduleMediaDeadline(i)
	r.markSessionChanged(i)
	st := s.stream
	if st.State == was.stream.State && st.Away == was.stream.Away || s.media.isLost != (was.stream.Away == MediaEnded) {
		return
	}
	le := &r.leases.all[i]
	if le.flags &^= leaseNotLive; was.stream.State != Live {
		le.flags |= leaseNotLive
	}
	r.changeStream(i, ByRestore, func(st *Stream) {
		st.State, st.Away, st.Shown = was.stream.State, was.stream.Away, was.stream.Shown
	})
}

// copyEvidence takes over what another registry knows from a source.
func (s *liveSession) copyEvidence(was *liveSession, source Source) {
	for _, e := range was.evidence {
		if e.Source == source {
			s.setEvidence(e)
		}
	}
}

// The numParts of a session that change apart from each other.
const (
	partDetails = iota
	partSocket
	partMedia
	numParts
)

// restoredPart is where a part that was put back comes from: a node that had read
// less of what was lost may have been first.
type restoredPart struct {
	firstLost   uint64 // the first entry that was lost
	restoredNum uint64 // the entry that put it back
	originalNum uint64 // the entry, of those that were lost, that changed it
}

// changedNum is the number of the entry that last changed a part.
func (s *liveSession) changedNum(part int) *uint64 {
	return [numParts]*uint64{&s.detailsNum, &s.socketNum, &s.mediaNum}[part]
}

// isStale reports whether a part was changed in what was lost, and was neither
// changed since, nor put back as it was at that entry or a later one.
func (s *liveSession) isStale(was *liveSession, part int, lost uint64) bool {
	at, then := *s.changedNum(part), *was.changedNum(part)
	if then < lost || at < lost || s.restored == nil {
		return then >= lost && at < lost
	}
	b := s.restored[part]
	return b.firstLost == lost && b.restoredNum == at && then > b.originalNum
}

// hasLostChanges reports whether something of a session was changed in what was lost.
func hasLostChanges(was, is *liveSession, lost uint64) bool {
	return is.isStale(was, partDetails, lost) || is.isStale(was, partSocket, lost) || is.isStale(was, partMedia, lost) ||
		was.stream.State != Starting && is.stream.State == Starting ||
		was.stream.Likes > is.stream.Likes ||
		was.stream.StartedAt < is.stream.StartedAt
}

// markRestored notes that a part was put back as it was at an entry.
func (r *Registry) markRestored(s *liveSession, part int, lost, was uint64) {
	if s.restored == nil {
		s.restored = &[numParts]restoredPart{}
	}
	*s.changedNum(part) = r.last.Num
	s.restored[part] = restoredPart{firstLost: lost, restoredNum: r.last.Num, originalNum: was}
}

// RestoreEnd ends a session of which the log has lost the end, and has it remembered
// as it was.
type RestoreEnd struct {
	FirstLost uint64 // as a Restore's
	Keys      []string

	ended *Ended
}

func (*RestoreEnd) kind() commandKind { return kindRestoreEnd }

func (*RestoreEnd) durable() bool { return true }

func (c *RestoreEnd) encode(b []byte) []byte {
	return appendEnded(appendStrings(appendUint(b, c.FirstLost), c.Keys), c.ended)
}

func (c *RestoreEnd) decode(r *reader) {
	c.FirstLost, c.Keys, c.ended = r.uint(), r.strings(), r.ended()
}

// bury ends a session again. One that was ended by silence stays, when it was
// heard of since: it was alive after all.
func (c *RestoreEnd) apply(r *Registry, _ *nodeState) Result {
	e := *c.ended
	s := e.Stream.Session
	if known := r.ended.bySession[s]; known != nil {
		return Result{Stream: known.Stream, Ended: known, Repeated: true}
	}
	i, live := r.bySession[s]
	if live && (e.Reason == MissedBeats || e.Reason == StreamLost) && r.isRenewedSince(i, c.FirstLost) {
		return r.liveResult(i)
	}
	if live {
		r.removeSession(i, &e)
	} else {
		r.rememberEnded(&e)
	}
	r.restoreKeys(c.Keys, s)
	return Result{Stream: e.Stream, Ended: &e}
}

// isRenewedSince reports whether a lease was renewed after the log lost the entry of
// that number and all that followed.
func (r *Registry) isRenewedSince(i uint32, lost uint64) bool {
	return r.clock-r.leases.all[i].lastRenewal(r.clock) < r.TimeSinceLoss(lost-1)
}

// restoreKeys remembers keys again. One that was for another session goes over when
// that one is not live.
func (r *Registry) restoreKeys(names []string, s Session) {
	for _, name := range names {
		k, known := r.keys.byName[name]
		_, live := r.bySession[k.session]
		switch {
		case name == "" || live || known && k.session == s:
		case known:
			r.keys.reassign(name, s)
			if r.changedRecords != nil {
				r.markRecord(recordClientKey, r.keys.numberOf(name))
			}
		default:
			r.markRecord(recordClientKey, r.keys.append(name, s, r.clock))
		}
	}
}
