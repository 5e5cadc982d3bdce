package presence

import "slices"

// RestoreSession restores a session that the log has lost, or the parts of it
// that changed in lost entries. It undoes no later entries, except an end by
// missed beats that a lost beat disproves. It is refused when the session has
// ended otherwise, its anchor is banned or has started anew, or another anchor
// has its code.
type RestoreSession struct {
	FirstLost uint64 // number of the first lost entry
	Params    LeaseParams
	Keys      []string // client keys that named the session, see clientKeyName
	RenewedAt int64    // presence time at which a node renewed the lease last; 0: none did, or the rules are older

	session *liveSession
}

func (c *RestoreSession) kind() commandKind {
	if c.RenewedAt != 0 {
		return kindRestoreRenewedSession
	}
	return kindRestoreSession
}

func (c *RestoreSession) encode(b []byte) []byte {
	b = appendStrings(appendUint(b, c.FirstLost), c.Keys)
	b = appendLeaseParams(b, c.Params)
	if c.RenewedAt != 0 {
		b = appendInt(b, c.RenewedAt)
	}
	return appendList(appendLiveSession(b, c.session), c.session.likes, appendLikeCount)
}

func (c *RestoreSession) decode(r *decoder) {
	c.FirstLost, c.Keys = r.uint(), r.strings()
	c.Params = r.uncheckedLeaseParams()
	if c.RenewedAt != 0 { // by the kind of the command
		c.RenewedAt = r.int()
		if c.RenewedAt <= 0 {
			r.fail()
		}
	}
	c.session = r.liveSession()
	c.session.likes = readList(r, r.likeCount)
	if !c.Params.isValid() {
		r.fail()
	}
}

func (c *RestoreSession) apply(r *Registry, _ *nodeState) Result {
	was := c.session.stream
	if i, live := r.bySession[was.Session]; live {
		r.restoreLostParts(i, c)
		return r.liveResult(i)
	}
	end := r.ended.bySession[was.Session]
	if end != nil && !r.isDisproved(end, c) {
		return r.goneResult(was.Session)
	}
	if _, banned := r.ActiveBan(was.Anchor); banned {
		return Result{Refusal: AnchorBanned}
	}
	if i, taken := r.byCode[was.Code]; taken && r.sessions[i].stream.Anchor != was.Anchor {
		return Result{Refusal: CodeTaken}
	}
	if i, live := r.byAnchor[was.Anchor]; live {
		if !r.isDuplicateStart(i, c) && r.isLivePreferred(i, c) {
			return Result{Refusal: AlreadyLive, Stream: r.sessions[i].stream}
		}
		r.endSession(i, TakenOver, "")
	}
	i := r.insertRestoredSession(c)
	if end != nil {
		r.removeEnd(end)
		r.addStreamEvent(StreamResumed, r.sessions[i].stream)
	}
	r.restoreClientKeys(c.Keys, was.Session)
	return r.liveResult(i)
}

// isDisproved reports whether the lost renewal disproves an end by missed beats: the
// lease has not run out. The new epoch ended the session without the beats of a node
// that still wrote to the old one.
func (r *Registry) isDisproved(e *Ended, c *RestoreSession) bool {
	return c.RenewedAt != 0 && e.Reason == MissedBeats && e.entryNum >= c.FirstLost && r.clock < c.RenewedAt+c.Params.ttl()
}

// isRenewalLost reports whether the lost renewal of a live session is newer than
// its last one, which is old: the session may end before its next beat.
func (r *Registry) isRenewalLost(index uint32, c *RestoreSession) bool {
	le := &r.leases.all[index]
	last := le.lastRenewal(r.clock)
	return le.flags&leaseUntimed == 0 && c.RenewedAt > last && r.clock-last > r.leases.params[le.params].Interval
}

// isLivePreferred reports whether a live session stays, rather than giving way to a
// restored one of the same anchor. A live session that was restored and renewed
// since is the one in use, whatever the times of their starts.
func (r *Registry) isLivePreferred(index uint32, restored *RestoreSession) bool {
	live := r.sessions[index]
	if live.startNum != 0 {
		return live.startNum >= restored.FirstLost
	}
	return r.leases.all[index].renewer != 0 || live.stream.StartedAt >= restored.session.stream.StartedAt
}

// isDuplicateStart reports whether the live session and the restored one come
// from one start that was tried twice, and only the restored one was
// acknowledged by its client.
func (r *Registry) isDuplicateStart(index uint32, restored *RestoreSession) bool {
	s := r.sessions[index]
	return !s.isAcknowledged() && restored.session.isAcknowledged() && slices.ContainsFunc(restored.Keys, func(name string) bool {
		k, known := r.keys.byName[name]
		return known && k.session == s.stream.Session
	})
}

// isAcknowledged reports whether the client has sent a beat or another request
// for the session.
func (s *liveSession) isAcknowledged() bool {
	return s.stream.State != Starting || s.socketNum != s.startNum
}

// insertRestoredSession enters a lost session under a new index, with a full lease,
// because its anchor may have sent beats all the time.
func (r *Registry) insertRestoredSession(c *RestoreSession) (index uint32) {
	i := r.allocateIndex()
	s, st := *c.session, *c.session.stream
	st.Index, st.Viewers = i, 0 // nodes report its viewers again
	s.stream, s.startNum = &st, 0
	s.restored = nil
	r.markPartRestored(&s, partDetails, c.FirstLost, c.session.detailsNum)
	r.markPartRestored(&s, partSocket, c.FirstLost, c.session.socketNum)
	r.markPartRestored(&s, partMedia, c.FirstLost, c.session.mediaNum)
	s.media.clampTimes(r.clock)
	s.likes = slices.Clone(s.likes)
	r.insertSession(i, &s)
	r.leases.start(i, st.Session.leaseTag(), 0, r.clock, !s.sources.Has(FromBeats))
	le := &r.leases.all[i]
	if st.State == Live {
		le.flags &^= leaseNotLive
	}
	// A lease is visited by the current params at the latest, so it cannot run by a
	// shorter interval than theirs.
	if c.Params.Interval >= r.settings.Interval {
		if index, ok := r.leases.findOrAddParamsDroppingUnused(c.Params); ok {
			le.params = index
		}
	}
	r.updateMediaDeadline(i)
	r.markSessionChanged(i)
	r.changes = append(r.changes, Change{New: &st, Cause: ByRestore, Socket: s.socket})
	return i
}

// restoreLostParts restores the parts of a live session that changed in lost
// entries, unless they have changed again.
func (r *Registry) restoreLostParts(index uint32, c *RestoreSession) {
	s, was := r.sessions[index], c.session
	if r.isRenewalLost(index, c) {
		le := &r.leases.all[index]
		le.renew(r.clock, r.clock, le.renewer)
		r.markLiveUnlessMediaLost(index, ByBeat)
	}
	if s.isPartStale(was, partDetails, c.FirstLost) {
		r.markPartRestored(s, partDetails, c.FirstLost, was.detailsNum)
		r.changeStream(index, ByRestore, func(st *Stream) {
			st.Details = was.stream.Details
		})
	}
	if was.stream.State != Starting && s.stream.State == Starting {
		r.markLiveUnlessMediaLost(index, ByRestore) // a beat came, and its lease is full
	}
	if s.isPartStale(was, partSocket, c.FirstLost) {
		r.markPartRestored(s, partSocket, c.FirstLost, was.socketNum)
		s.socket, s.attached = was.socket, was.attached
		s.copyEvidence(was, FromSocket)
		r.markSessionChanged(index)
		r.changes = append(r.changes, Change{Old: s.stream, New: s.stream, Cause: ByRestore, Socket: s.socket})
	}
	if s.isPartStale(was, partMedia, c.FirstLost) {
		r.markPartRestored(s, partMedia, c.FirstLost, was.mediaNum)
		r.restoreMedia(index, was)
	}
	if first := was.stream.StartedAt; first < s.stream.StartedAt { // its start was repeated
		r.changeStream(index, ByRestore, func(st *Stream) { st.StartedAt = first })
	}
	likes := int64(0)
	for _, l := range was.likes {
		likes += max(0, s.raiseLikesTo(l.process, l.n))
	}
	if likes > 0 {
		r.changeStream(index, ByCounts, func(st *Stream) { st.Likes += likes })
	}
}

// restoreMedia restores the media state of a session.
func (r *Registry) restoreMedia(index uint32, old *liveSession) {
	s := r.sessions[index]
	s.media = old.media
	s.media.clampTimes(r.clock)
	s.copyEvidence(old, FromCallback)
	s.copyEvidence(old, FromPoll)
	r.updateMediaDeadline(index)
	r.markSessionChanged(index)
	st := s.stream
	if st.State == old.stream.State && st.Away == old.stream.Away || s.media.isLost != (old.stream.Away == MediaEnded) {
		return
	}
	le := &r.leases.all[index]
	if le.flags &^= leaseNotLive; old.stream.State != Live {
		le.flags |= leaseNotLive
	}
	r.changeStream(index, ByRestore, func(st *Stream) {
		st.State, st.Away, st.Shown = old.stream.State, old.stream.Away, old.stream.Shown
	})
}

// copyEvidence takes over the evidence of a source from another registry's
// session.
func (s *liveSession) copyEvidence(old *liveSession, source Source) {
	if i := old.evidenceIndex(source); i >= 0 {
		s.setEvidence(old.evidence[i])
	}
}

// The parts of a session that are restored separately.
const (
	partDetails = iota
	partSocket
	partMedia
	numParts
)

// restoredPart is the origin of a restored part. A node that had read more of
// the lost entries restores the part again.
type restoredPart struct {
	firstLost   uint64 // number of the first lost entry
	restoredNum uint64 // number of the entry that restored it
	originalNum uint64 // number of the lost entry that had changed it
}

// changedNum is the number of the entry that changed a part last.
func (s *liveSession) changedNum(part int) *uint64 {
	return [numParts]*uint64{&s.detailsNum, &s.socketNum, &s.mediaNum}[part]
}

// isPartStale reports whether lost entries changed a part, and it was neither
// changed since nor restored from the same entry or a later one.
func (s *liveSession) isPartStale(old *liveSession, part int, firstLost uint64) bool {
	at, then := *s.changedNum(part), *old.changedNum(part)
	if then < firstLost || at < firstLost || s.restored == nil {
		return then >= firstLost && at < firstLost
	}
	b := s.restored[part]
	return b.firstLost == firstLost && b.restoredNum == at && then > b.originalNum
}

// needsSession reports whether a session is missing, or lost entries changed it in a
// way that is not restored.
func (r *Registry) needsSession(c *RestoreSession) bool {
	old := c.session
	i, live := r.bySession[old.stream.Session]
	if !live {
		end := r.ended.bySession[old.stream.Session]
		return end == nil || r.isDisproved(end, c)
	}
	current := r.sessions[i]
	return current.isPartStale(old, partDetails, c.FirstLost) || current.isPartStale(old, partSocket, c.FirstLost) || current.isPartStale(old, partMedia, c.FirstLost) ||
		r.isRenewalLost(i, c) ||
		old.stream.State != Starting && current.stream.State == Starting ||
		old.stream.Likes > current.stream.Likes ||
		old.stream.StartedAt < current.stream.StartedAt
}

// markPartRestored records that a part was restored as of a lost entry.
func (r *Registry) markPartRestored(s *liveSession, part int, firstLost, originalNum uint64) {
	if s.restored == nil {
		s.restored = &[numParts]restoredPart{}
	}
	*s.changedNum(part) = r.last.Num
	s.restored[part] = restoredPart{firstLost: firstLost, restoredNum: r.last.Num, originalNum: originalNum}
}

// markAskedBeforeLoss marks a part as changed by a request that was asked for
// before the log lost entries. It counts as one of them, so that a lost change
// that is newer is restored over it.
func (r *Registry) markAskedBeforeLoss(s *liveSession, part int, askedAfter EntryRef) {
	if askedAfter.Num != 0 && askedAfter.Epoch != r.last.Epoch {
		r.markPartRestored(s, part, r.lastNumOfEpochID(askedAfter.Epoch)+1, askedAfter.Num)
	}
}

// isChangedAfter reports whether a part was changed after an entry. A restored part
// and a request that were both made before a loss are compared by their places
// among the lost entries.
func (r *Registry) isChangedAfter(s *liveSession, part int, e EntryRef) bool {
	at, lastShared := *s.changedNum(part), r.lastNumOfEpochID(e.Epoch)
	if s.restored != nil {
		if b := s.restored[part]; b.restoredNum == at && b.firstLost == lastShared+1 {
			return b.originalNum > e.Num
		}
	}
	return at > min(e.Num, lastShared)
}

// RestoreEnd restores the end of a session that the log has lost.
type RestoreEnd struct {
	FirstLost uint64   // number of the first lost entry
	Keys      []string // client keys that named the session

	ended *Ended
}

func (*RestoreEnd) kind() commandKind { return kindRestoreEnd }

func (c *RestoreEnd) encode(b []byte) []byte {
	return appendEnded(appendStrings(appendUint(b, c.FirstLost), c.Keys), c.ended)
}

func (c *RestoreEnd) decode(r *decoder) {
	c.FirstLost, c.Keys, c.ended = r.uint(), r.strings(), r.ended()
}

// apply ends the session again. If silence had ended it and a beat came since,
// the session goes on.
func (c *RestoreEnd) apply(r *Registry, _ *nodeState) Result {
	e := *c.ended
	s := e.Stream.Session
	if known := r.ended.bySession[s]; known != nil {
		return Result{Stream: known.Stream, Ended: known, Repeated: true}
	}
	i, live := r.bySession[s]
	if live && (e.Reason == MissedBeats || e.Reason == StreamLost) && r.isRenewedSinceLoss(i, c.FirstLost) {
		return r.liveResult(i)
	}
	if live {
		r.moveSessionToEnded(i, &e)
	} else {
		r.addEnded(&e)
	}
	r.restoreClientKeys(c.Keys, s)
	return Result{Stream: e.Stream, Ended: &e}
}

// isRenewedSinceLoss reports whether a lease was renewed after the log lost its
// entries.
func (r *Registry) isRenewedSinceLoss(index uint32, firstLost uint64) bool {
	return r.clock-r.leases.all[index].lastRenewal(r.clock) < r.TimeSinceLoss(firstLost-1)
}

// restoreClientKeys restores client keys. A key of another session changes over when
// that session is not live.
func (r *Registry) restoreClientKeys(names []string, s Session) {
	for _, name := range names {
		k, known := r.keys.byName[name]
		_, live := r.bySession[k.session]
		switch {
		case name == "" || live || known && k.session == s:
		case known:
			r.keys.byName[name] = clientKeyUse{s, k.usedAt}
			if r.changedRecords != nil {
				r.markRecordChanged(recordClientKey, r.keys.numberOf(name))
			}
		default:
			r.markRecordChanged(recordClientKey, r.keys.append(name, s, r.clock))
		}
	}
}
