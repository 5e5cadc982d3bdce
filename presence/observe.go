package presence

import "slices"

// Observe records what a source said of a session: that a socket is gone, that
// a beat was heard by other ways than a socket, what became of a push.
type Observe struct {
	Session Session
	Source  Source
	Signal  Signal
	Socket  string // Detached: the socket that closed; ignored if another holds the session by now
	Push    string // Begun, Going, Finished: the media server's name for the push
	// PushStartedAt is when the push began by its provider's clock, in Unix milliseconds;
	// 0: the provider does not say. Of two pushes that say it the later one has
	// replaced the other.
	PushStartedAt int64
	// IsUnique: no other push will ever have that name, so that one which has ended
	// does not begin again.
	IsUnique bool
	Detail   string // Pictured: the picture's URL
}

func (*Observe) kind() commandKind { return kindObserve }

func (*Observe) durable() bool { return false }

func (c *Observe) encode(b []byte) []byte {
	b = append(append(b, c.Session[:]...), byte(c.Source), byte(c.Signal))
	b = appendString(appendString(appendString(b, c.Socket), c.Push), c.Detail)
	return appendBool(appendInt(b, c.PushStartedAt), c.IsUnique)
}

func (c *Observe) decode(r *reader) {
	c.Session = r.sessionID()
	c.Source, c.Signal = Source(r.enum(len(sourceNames))), Signal(r.enum(len(signalNames)))
	c.Socket, c.Push, c.Detail = r.string(), r.string(), r.string()
	c.PushStartedAt, c.IsUnique = r.int(), r.bool()
}

func (c *Observe) apply(r *Registry, p *nodeState) Result {
	i, ok := r.controlledSession(c.Session, c.Socket)
	if !ok {
		return r.goneResult(c.Session)
	}
	switch c.Signal {
	case BeatReceived:
		r.renewLease(i, p, ByBeat)
	case PushStarted:
		r.applyPushStarted(i, c, p)
	case PushOngoing:
		r.applyPushOngoing(i, c)
	case PushEnded:
		r.applyPushEnded(i, c)
	case ScreenshotTaken:
		r.applyScreenshot(i, c)
	case PollOnline:
		r.applyPollOnline(i, c, p)
	case PollOffline:
		r.applyPollOffline(i, c)
	case PollFailed:
		r.applyPollFailed(i, c)
	case Detached:
		s := r.sessions[i]
		s.attached, s.socketNum = false, r.last.Num
		s.setEvidence(Evidence{Source: c.Source, Signal: c.Signal, At: r.last.Time, Detail: c.Detail})
		r.markSessionChanged(i)
	}
	if _, live := r.bySession[c.Session]; !live {
		return r.goneResult(c.Session) // this was its end
	}
	return r.liveResult(i)
}

// Source says where a piece of evidence comes from.
type Source uint8

// The sources of evidence. A stream's state is a function of what they said,
// each with its time; nobody has to remember to clear a flag.
const (
	FromSocket   Source = iota + 1 // the anchor's socket: attached, detached
	FromBeats                      // heartbeats
	FromCallback                   // the cloud's or the media server's callbacks
	FromPoll                       // the status poller
)

var sourceNames = [...]string{FromSocket: "socket", FromBeats: "heartbeat", FromCallback: "callback", FromPoll: "poll"}

// String gives the word that `why` shows.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return ""
}

// ParseSource reads the word that String gives.
func ParseSource(word string) (s Source, ok bool) {
	i := slices.Index(sourceNames[:], word)
	return Source(max(i, 0)), i > 0
}

// Sources are those that a session lives by: heartbeats, callbacks, polls. A
// session that does not live by heartbeats is not ended by their silence. None
// stands for heartbeats alone.
type Sources uint8

// SourcesOf gives a set.
func SourcesOf(list ...Source) (set Sources) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

// Has reports whether the session lives by the source.
func (set Sources) Has(s Source) bool { return set&(1<<s) != 0 }

// Names gives the words of those in the set.
func (set Sources) Names() (words []string) {
	for s := range sourceNames {
		if set.Has(Source(s)) {
			words = append(words, sourceNames[s])
		}
	}
	return words
}

// sources reads a set of known ones.
func (r *reader) sources() Sources {
	set := Sources(r.byte())
	if set>>len(sourceNames) != 0 || set&1 != 0 {
		r.fail()
		return 0
	}
	return set
}

// Signal is what a source said.
type Signal uint8

// The signs there are.
const (
	Attached        Signal = iota + 1 // a socket holds the session
	Detached                          // the socket closed; by itself this changes nothing
	BeatReceived                      // a beat came
	BeatMissed                        // a beat was missed
	PushStarted                       // a push has begun
	PushOngoing                       // a push goes on
	PushEnded                         // a push has ended
	ScreenshotTaken                   // the cloud has made a picture of the video
	PollOnline                        // asked, the cloud says that something is pushed
	PollOffline                       // asked, the cloud says that nothing is pushed
	PollFailed                        // asked, the cloud gave no answer
)

var signalNames = [...]string{
	Attached: "attached", Detached: "detached", BeatReceived: "heard", BeatMissed: "missed",
	PushStarted: "publish_begun", PushOngoing: "publishing", PushEnded: "publish_ended", ScreenshotTaken: "pictured",
	PollOnline: "online", PollOffline: "offline", PollFailed: "unknown",
}

// String gives the word that `why` shows.
func (s Signal) String() string {
	if int(s) < len(signalNames) {
		return signalNames[s]
	}
	return ""
}

// Evidence is the last thing that one source said of a session. A session
// keeps one piece from each source, is archived with them, and `why` shows
// them.
type Evidence struct {
	Source Source
	Signal Signal
	At     int64  // Unix milliseconds, log time
	Detail string // for people: a connection, a media session, a node
}

func appendEvidence(b []byte, ev []Evidence) []byte {
	b = appendUint(b, uint64(len(ev)))
	for _, e := range ev {
		b = appendString(appendInt(append(b, byte(e.Source), byte(e.Signal)), e.At), e.Detail)
	}
	return b
}

func (r *reader) evidence() []Evidence {
	n := r.length()
	if n == 0 {
		return nil
	}
	ev := make([]Evidence, 0, n)
	for range n {
		ev = append(ev, Evidence{
			Source: Source(r.enum(len(sourceNames))), Signal: Signal(r.enum(len(signalNames))), At: r.int(), Detail: r.string(),
		})
	}
	return ev
}

// setEvidence keeps the last thing that each source said.
func (s *liveSession) setEvidence(e Evidence) {
	for i := range s.evidence {
		if s.evidence[i].Source == e.Source {
			s.evidence[i] = e
			return
		}
	}
	s.evidence = append(s.evidence, e)
}

// Evidence returns what each source last said of a live session.
func (r *Registry) Evidence(s Session) []Evidence {
	if i, ok := r.bySession[s]; ok {
		return r.evidenceOf(i)
	}
	return nil
}

// evidenceOf is all that is known of why a session lives, beats included.
func (r *Registry) evidenceOf(i uint32) []Evidence {
	s := r.sessions[i]
	le := &r.leases.all[i]
	if !s.sources.Has(FromBeats) {
		return slices.Clone(s.evidence)
	}
	heard := Evidence{Source: FromBeats, Signal: BeatReceived, At: r.last.Time - (r.clock - le.lastRenewal(r.clock))}
	if le.misses > 0 {
		heard.Signal = BeatMissed
	}
	return append(append(make([]Evidence, 0, len(s.evidence)+1), heard), s.evidence...)
}

// Conflict is how two sources contradict each other about one session. The rules
// decide; that they had to is counted, for who looks after the sources.
type Conflict uint8

// The numConflicts there are.
const (
	SilenceAgainstMedia  Conflict = iota // a beat was missed while a push is under way
	MediaEndAgainstBeats                 // the last push has ended while its anchor beats
	PollAgainstCallback                  // asked, the cloud says other than its callbacks
	numConflicts
)

var conflictNames = [numConflicts]string{
	SilenceAgainstMedia: "silence_against_media", MediaEndAgainstBeats: "media_end_against_beats", PollAgainstCallback: "poll_against_callback",
}

// String gives the label by which metrics count the conflict.
func (c Conflict) String() string { return conflictNames[c] }

// ConflictCounts counts conflicts, indexed by Conflict.
type ConflictCounts [numConflicts]int

// Explanation is all that is known of why a session is in the state that it is in.
type Explanation struct {
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
	RuleNoSignal   Rule = "nothing_heard" // starting: no beat and no push was heard yet
	RuleSignal     Rule = "heard"         // live: a beat or a push was heard, and nothing speaks against it
	RuleMissedBeat Rule = "missed_beat"   // away: a beat is overdue
	RuleMediaEnded Rule = "media_ended"   // away: the last push has ended
)

// Explain gives an account of a session; ok is false when none of that id is known.
func (r *Registry) Explain(s Session) (a Explanation, ok bool) {
	i, live := r.bySession[s]
	if !live {
		e := r.ended.bySession[s]
		if e == nil {
			return a, false
		}
		return r.ExplainEnded(e), true
	}
	x := r.sessions[i]
	a = Explanation{Stream: x.stream, Evidence: r.evidenceOf(i), Sources: x.sources, At: r.last.Time, EndsIn: r.timeToEnd(i)}
	switch {
	case x.media.isLost:
		a.Rule = RuleMediaEnded
	case x.stream.State == Starting:
		a.Rule = RuleNoSignal
	case x.stream.State == Away:
		a.Rule = RuleMissedBeat
	default:
		a.Rule = RuleSignal
	}
	return a, true
}

// ExplainEnded gives an account of a session that is over.
func (r *Registry) ExplainEnded(e *Ended) Explanation {
	return Explanation{
		Stream: e.Stream, Ended: e, Evidence: e.Evidence, Rule: Rule(e.Reason.String()), At: r.last.Time, EndsIn: -1,
	}
}

// timeToEnd is the presence time until the session ends by silence of whatever
// kind, -1 if none ends it.
func (r *Registry) timeToEnd(i uint32) int64 {
	s, le := r.sessions[i], &r.leases.all[i]
	left := int64(-1)
	if s.sources.Has(FromBeats) {
		left = max(0, r.leases.missTime(le, r.leases.params[le.params].Missed, r.clock)-r.clock)
	}
	if s.mediaDeadline != 0 && (left < 0 || s.mediaDeadline-r.clock < left) {
		left = max(0, s.mediaDeadline-r.clock)
	}
	return left
}
