package presence

import (
	"maps"
	"slices"
)

// The encodings of each record, and back.

func (r *Registry) appendMeta(b []byte, version byte) []byte {
	b = append(b, version)
	for _, v := range [...]uint64{r.rules, r.hash, r.last.ID.MS, r.last.ID.Seq, r.last.Num, r.keys.first, r.ended.first, r.recordings.first, r.effects.next, r.effects.firstDead} {
		b = appendUint(b, v)
	}
	b = appendInt(appendInt(b, r.clock), r.last.Time)
	b = appendSettings(appendString(b, r.last.Repl), r.settings)
	b = appendUint(b, uint64(len(r.epochs)))
	for _, e := range r.epochs {
		b = appendInt(appendUint(appendString(b, e.repl), e.num), e.clock)
	}
	return b
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

func appendStream(b []byte, st *Stream) []byte {
	b = append(b, st.Session[:]...)
	for _, s := range [...]string{st.Code, st.Anchor, st.List, st.Title, st.Cover} {
		b = appendString(b, s)
	}
	b = appendBytes(appendStrings(b, st.Tags), st.Extra)
	for _, v := range [...]int64{st.StartedAt, st.Peak, st.Likes} {
		b = appendInt(b, v)
	}
	b = append(appendUint(b, uint64(st.Index)), byte(st.State), byte(st.Away))
	return appendBool(appendBool(b, st.Listed), st.Shown)
}

func (r *reader) stream() *Stream {
	st := &Stream{
		Session: r.session(), Code: r.string(), Anchor: r.string(), List: r.string(), Title: r.string(),
		Cover: r.string(), Tags: r.strings(), Extra: r.bytes(),
		StartedAt: r.int(), Peak: r.int(), Likes: r.int(),
	}
	i := r.uint()
	if i > maxIndex {
		r.fail()
		i = 0
	}
	st.Index = uint32(i)
	st.State, st.Away = State(r.enum(len(stateNames))), AwayCause(r.enum(len(awayNames)))
	st.Listed, st.Shown = r.bool(), r.bool()
	return st
}

// maxIndex bounds the index of a decoded session, sixteen million at once, so
// that a damaged one does not make anybody allocate a table of four billion.
const maxIndex = 1 << 24

func appendEvidence(b []byte, ev []Evidence) []byte {
	b = appendUint(b, uint64(len(ev)))
	for _, e := range ev {
		b = appendString(appendInt(append(b, byte(e.Source), byte(e.Sign)), e.At), e.Detail)
	}
	return b
}

func (r *reader) evidence() []Evidence {
	n := r.count()
	if n == 0 {
		return nil
	}
	ev := make([]Evidence, 0, n)
	for range n {
		ev = append(ev, Evidence{
			Source: Source(r.enum(len(sourceNames))), Sign: Sign(r.enum(len(signNames))), At: r.int(), Detail: r.string(),
		})
	}
	return ev
}

// appendSession is what the digest covers of a session.
func appendSession(b []byte, s *session) []byte {
	b = appendStream(b, s.stream)
	b = appendBool(appendString(b, s.holder), s.attached)
	b = append(appendEvidence(b, s.evidence), byte(s.sources))
	b = s.media.append(b)
	for _, num := range [...]uint64{s.born, s.told, s.moved, s.filmed} {
		b = appendUint(b, num)
	}
	if b = appendBool(b, s.back != nil); s.back != nil {
		for _, p := range s.back {
			b = appendUint(appendUint(appendUint(b, p.lost), p.at), p.was)
		}
	}
	return b
}

// whole reads what appendSession wrote.
func (r *reader) whole() *session {
	s := &session{stream: r.stream(), holder: r.string(), attached: r.bool(), evidence: r.evidence()}
	s.sources, s.media = r.sources(), r.media()
	s.born, s.told, s.moved, s.filmed = r.uint(), r.uint(), r.uint(), r.uint()
	if r.bool() {
		s.back = &[parts]repaired{}
		for i := range s.back {
			s.back[i] = repaired{lost: r.uint(), at: r.uint(), was: r.uint()}
		}
	}
	return s
}

// appendLeased is a session with its lease. The lease's terms are written as
// they are: which index they have is no state.
func (r *Registry) appendLeased(b []byte, i uint32) []byte {
	s := r.sessions[i]
	b = appendSession(b, s)
	le := &r.leases.all[i]
	t := r.leases.terms[le.terms]
	for _, v := range [...]int64{le.lastAt(r.clock), t.interval, t.missed, t.grace} {
		b = appendInt(b, v)
	}
	b = append(appendUint(b, uint64(le.via)), le.misses)
	return appendLikes(b, s.likes)
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

func appendKeyed(b []byte, name string, k keyed) []byte {
	return appendInt(append(appendString(b, name), k.session[:]...), k.clock)
}

func appendEnded(b []byte, e *Ended) []byte {
	b = appendString(append(appendStream(b, e.Stream), byte(e.Reason)), e.By)
	for _, v := range [...]int64{e.Stream.Viewers, e.EndedAt, e.clock} {
		b = appendInt(b, v)
	}
	return appendEvidence(appendUint(b, e.num), e.Evidence)
}

func (r *reader) ended() *Ended {
	e := &Ended{Stream: r.stream(), Reason: EndReason(r.enum(len(endNames))), By: r.string()}
	e.Stream.Viewers, e.EndedAt, e.clock, e.num = r.int(), r.int(), r.int(), r.uint()
	e.Evidence = r.evidence()
	return e
}

func appendBanned(b []byte, x banned) []byte { return appendUint(x.encode(b), x.num) }
