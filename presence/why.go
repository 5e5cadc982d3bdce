package presence

import "iter"

// Account is all that is known of why a session is in the state that it is in.
type Account struct {
	Stream   *Stream
	Ended    *Ended // nil: it is live
	Evidence []Evidence
	Rule     Rule
	Sources  Sources // what the session lives by; none is said of one that has ended
	At       int64   // log time, Unix milliseconds
	// EndsIn is the presence time, in milliseconds, until the session ends if
	// nothing more is heard of it; -1 is never.
	EndsIn int64
}

// Rule is what decided a stream's state.
type Rule string

// The rules there are; of a session that has ended it is its EndReason.
const (
	RuleNothingHeard Rule = "nothing_heard" // starting: no beat and no push was heard yet
	RuleHeard        Rule = "heard"         // live: a beat or a push was heard, and nothing speaks against it
	RuleMissedBeat   Rule = "missed_beat"   // away: a beat is overdue
	RuleMediaEnded   Rule = "media_ended"   // away: the last push has ended
)

// Why gives an account of a session; ok is false when none of that id is known.
func (r *Registry) Why(s Session) (a Account, ok bool) {
	i, live := r.bySession[s]
	if !live {
		e := r.ended.bySession[s]
		if e == nil {
			return a, false
		}
		return r.WhyEnded(e), true
	}
	x := r.sessions[i]
	a = Account{Stream: x.stream, Evidence: r.evidence(i), Sources: x.sources, At: r.last.Time, EndsIn: r.endsIn(i)}
	switch {
	case x.media.lost:
		a.Rule = RuleMediaEnded
	case x.stream.State == Starting:
		a.Rule = RuleNothingHeard
	case x.stream.State == Away:
		a.Rule = RuleMissedBeat
	default:
		a.Rule = RuleHeard
	}
	return a, true
}

// WhyEnded gives an account of a session that is over.
func (r *Registry) WhyEnded(e *Ended) Account {
	return Account{
		Stream: e.Stream, Ended: e, Evidence: e.Evidence, Rule: Rule(e.Reason.String()), At: r.last.Time, EndsIn: -1,
	}
}

// endsIn is the presence time until the session ends by silence of whatever
// kind, -1 if none ends it.
func (r *Registry) endsIn(i uint32) int64 {
	s, le := r.sessions[i], &r.leases.all[i]
	left := int64(-1)
	if s.sources.Has(FromBeats) {
		left = max(0, r.leases.miss(le, r.leases.terms[le.terms].missed, r.clock)-r.clock)
	}
	if s.due != 0 && (left < 0 || s.due-r.clock < left) {
		left = max(0, s.due-r.clock)
	}
	return left
}

// Silence is for how long, in milliseconds of presence time, no beat of a live
// session was heard.
func (r *Registry) Silence(s Session) int64 {
	i, live := r.bySession[s]
	if !live {
		return 0
	}
	return r.clock - r.leases.all[i].lastAt(r.clock)
}

// Lease is what a command about the live session would be answered with.
func (r *Registry) Lease(s Session) (Result, bool) {
	i, live := r.bySession[s]
	if !live {
		return r.gone(s), false
	}
	return r.granted(i), true
}

// Holder is the connection that holds a live session, empty where none does.
func (r *Registry) Holder(s Session) string {
	if i, live := r.bySession[s]; live {
		return r.sessions[i].holder
	}
	return ""
}

// StreamsFrom yields live streams in the order of their indexes, from one on.
// The registry must not change meanwhile.
func (r *Registry) StreamsFrom(index uint32) iter.Seq[*Stream] {
	return func(yield func(*Stream) bool) {
		for _, s := range r.sessions[min(int(index), len(r.sessions)):] {
			if s != nil && !yield(s.stream) {
				return
			}
		}
	}
}

// Endings yields the sessions that are over with their numbers, the last to
// end first, from below a number on; 0 is from the last. The registry must not
// change meanwhile.
func (r *Registry) Endings(below uint64) iter.Seq2[uint64, *Ended] {
	return func(yield func(uint64, *Ended) bool) {
		end := r.ended.first + uint64(len(r.ended.list))
		if below != 0 {
			end = min(end, below)
		}
		for seq := end; seq > r.ended.first; seq-- {
			if !yield(seq-1, r.ended.list[seq-1-r.ended.first]) {
				return
			}
		}
	}
}
