package presence

import "slices"

// Observe records a signal from a source about a session.
type Observe struct {
	Session Session
	Source  Source
	Signal  Signal
	Socket  string // Detached: the socket that closed; ignored when another one is attached
	Push    string // PushStarted, PushOngoing, PushEnded: the media server's name for the push
	// PushStartedAt is when the push started by its provider's clock, in Unix
	// milliseconds; 0: the provider does not report it. Of two pushes that have
	// it, the later one has replaced the other.
	PushStartedAt int64
	// IsUnique: the name is never used for another push, so an ended one does
	// not start again.
	IsUnique bool
	Detail   string // ScreenshotTaken: the URL of the image
}

func (*Observe) kind() commandKind { return kindObserve }

func (c *Observe) encode(b []byte) []byte {
	b = append(append(b, c.Session[:]...), byte(c.Source), byte(c.Signal))
	b = appendString(appendString(appendString(b, c.Socket), c.Push), c.Detail)
	return appendBool(appendInt(b, c.PushStartedAt), c.IsUnique)
}

func (c *Observe) decode(r *decoder) {
	c.Session = r.sessionID()
	c.Source, c.Signal = Source(r.enum(len(sourceNames))), Signal(r.enum(len(signalNames)))
	c.Socket, c.Push, c.Detail = r.string(), r.string(), r.string()
	c.PushStartedAt, c.IsUnique = r.int(), r.bool()
}

func (c *Observe) apply(r *Registry, node *nodeState) Result {
	i, ok := r.findLiveSession(c.Session, c.Socket)
	if !ok {
		return r.goneResult(c.Session)
	}
	switch c.Signal {
	case BeatReceived:
		r.renewLeaseAndMarkLive(i, node, ByBeat)
	case PushStarted:
		r.applyPushStarted(i, c, node)
	case PushOngoing:
		r.applyPushOngoing(i, c)
	case PushEnded:
		r.applyPushEnded(i, c)
	case ScreenshotTaken:
		r.setCoverIfMissing(i, c)
	case PollOnline:
		r.applyPollOnline(i, c, node)
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
		return r.goneResult(c.Session) // the signal ended it
	}
	return r.liveResult(i)
}

// Source is where evidence comes from.
type Source uint8

// The sources of evidence. A stream's state depends on the last signal of each
// source and its time, so there is no flag to reset.
const (
	FromSocket   Source = iota + 1 // the anchor's socket
	FromBeats                      // heartbeats
	FromCallback                   // callbacks of a cloud or media server
	FromPoll                       // the status poller
)

var sourceNames = [...]string{FromSocket: "socket", FromBeats: "heartbeat", FromCallback: "callback", FromPoll: "poll"}

// String is the source's name in explanations.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return ""
}

// ParseSource reads a name that String returns.
func ParseSource(name string) (s Source, ok bool) {
	i := slices.Index(sourceNames[:], name)
	return Source(max(i, 0)), i > 0
}

// Sources is the set of sources that keep a session live: beats, callbacks,
// polls. Missing beats do not end a session whose set lacks beats. The empty set
// of a Start stands for beats alone.
type Sources uint8

// SourcesOf returns the set of the given sources.
func SourcesOf(list ...Source) (set Sources) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

// Has reports whether a source is in the set.
func (set Sources) Has(s Source) bool { return set&(1<<s) != 0 }

// Names returns the names of the sources in the set.
func (set Sources) Names() (names []string) {
	for s := range sourceNames {
		if set.Has(Source(s)) {
			names = append(names, sourceNames[s])
		}
	}
	return names
}

// sources reads a set; it fails on an unknown source.
func (r *decoder) sources() Sources {
	set := Sources(r.byte())
	if set>>len(sourceNames) != 0 || set&1 != 0 {
		r.fail()
		return 0
	}
	return set
}

// Signal is what a source reported.
type Signal uint8

// The signals there are.
const (
	Attached Signal = iota + 1 // a socket was attached
	Detached                   // the attached socket closed; this alone does not change the stream
	BeatReceived
	BeatMissed
	PushStarted
	PushOngoing
	PushEnded
	ScreenshotTaken // the cloud has taken a screenshot of the video
	PollOnline      // the cloud answered that a push is ongoing
	PollOffline     // the cloud answered that there is no push
	PollFailed      // the cloud gave no answer
)

var signalNames = [...]string{
	Attached: "attached", Detached: "detached", BeatReceived: "heard", BeatMissed: "missed",
	PushStarted: "publish_begun", PushOngoing: "publishing", PushEnded: "publish_ended", ScreenshotTaken: "pictured",
	PollOnline: "online", PollOffline: "offline", PollFailed: "unknown",
}

// String is the signal's name in explanations.
func (s Signal) String() string {
	if int(s) < len(signalNames) {
		return signalNames[s]
	}
	return ""
}

// Evidence is the last signal of one source about a session. A session has one
// for each source; they stay with it after its end.
type Evidence struct {
	Source Source
	Signal Signal
	At     int64  // Unix milliseconds, log time
	Detail string // for people: a socket, a push, a node
}

func appendEvidence(b []byte, e Evidence) []byte {
	return appendString(appendInt(append(b, byte(e.Source), byte(e.Signal)), e.At), e.Detail)
}

func (r *decoder) evidence() Evidence {
	return Evidence{Source(r.enum(len(sourceNames))), Signal(r.enum(len(signalNames))), r.int(), r.string()}
}

// evidenceIndex is the index of a source's evidence, -1 when there is none.
func (s *liveSession) evidenceIndex(source Source) int {
	return slices.IndexFunc(s.evidence, func(e Evidence) bool { return e.Source == source })
}

// setEvidence replaces the evidence of a source.
func (s *liveSession) setEvidence(e Evidence) {
	if i := s.evidenceIndex(e.Source); i >= 0 {
		s.evidence[i] = e
		return
	}
	s.evidence = append(s.evidence, e)
}

// Evidence returns the evidence about a live session, or nil.
func (r *Registry) Evidence(s Session) []Evidence {
	if i, ok := r.bySession[s]; ok {
		return r.evidenceOf(i)
	}
	return nil
}

// evidenceOf returns all evidence about a live session, including beats.
func (r *Registry) evidenceOf(index uint32) []Evidence {
	s := r.sessions[index]
	le := &r.leases.all[index]
	if !s.sources.Has(FromBeats) {
		return slices.Clone(s.evidence)
	}
	beats := Evidence{Source: FromBeats, Signal: BeatReceived, At: r.last.Time - (r.clock - le.lastRenewal(r.clock))}
	if le.misses > 0 {
		beats.Signal = BeatMissed
	}
	return append(append(make([]Evidence, 0, len(s.evidence)+1), beats), s.evidence...)
}

// Conflict is a contradiction between two sources about one session. Fixed rules
// decide it; metrics count it, so that operators can look for its cause.
type Conflict uint8

// The conflicts there are.
const (
	SilenceAgainstMedia  Conflict = iota // a beat was missed while a push was ongoing
	MediaEndAgainstBeats                 // the last push ended while beats came
	PollAgainstCallback                  // a poll contradicted the callbacks
	numConflicts
)

var conflictNames = [numConflicts]string{
	SilenceAgainstMedia: "silence_against_media", MediaEndAgainstBeats: "media_end_against_beats", PollAgainstCallback: "poll_against_callback",
}

// String is the conflict's label in metrics.
func (c Conflict) String() string { return conflictNames[c] }

// ConflictCounts counts conflicts, indexed by Conflict.
type ConflictCounts [numConflicts]int

// Explanation is why a session is in its state.
type Explanation struct {
	Stream   *Stream
	Ended    *Ended // nil: it is live
	Evidence []Evidence
	Rule     Rule
	Sources  Sources // sources that keep it live; empty when it has ended
	At       int64   // log time, Unix milliseconds
	// EndsIn is the presence time, in milliseconds, until the session ends
	// without further signals; -1: never.
	EndsIn int64
}

// Rule is the rule that decided a stream's state.
type Rule string

// The rules there are. For an ended session the rule is its EndReason.
const (
	RuleNoSignal   Rule = "nothing_heard" // starting: no beat and no push yet
	RuleSignal     Rule = "heard"         // live: a beat or a push came, and nothing contradicts it
	RuleMissedBeat Rule = "missed_beat"   // away: a beat is overdue
	RuleMediaEnded Rule = "media_ended"   // away: the last push has ended
)

// Explain explains the state of a session. ok is false when the session is
// unknown.
func (r *Registry) Explain(s Session) (x Explanation, isKnown bool) {
	i, live := r.bySession[s]
	if !live {
		e := r.ended.bySession[s]
		if e == nil {
			return x, false
		}
		return r.ExplainEnded(e), true
	}
	session := r.sessions[i]
	x = Explanation{Stream: session.stream, Evidence: r.evidenceOf(i), Sources: session.sources, At: r.last.Time, EndsIn: r.timeToEnd(i)}
	switch {
	case session.media.isLost:
		x.Rule = RuleMediaEnded
	case session.stream.State == Starting:
		x.Rule = RuleNoSignal
	case session.stream.State == Away:
		x.Rule = RuleMissedBeat
	default:
		x.Rule = RuleSignal
	}
	return x, true
}

// ExplainEnded explains why a session ended.
func (r *Registry) ExplainEnded(e *Ended) Explanation {
	return Explanation{
		Stream: e.Stream, Ended: e, Evidence: e.Evidence, Rule: Rule(e.Reason.String()), At: r.last.Time, EndsIn: -1,
	}
}

// timeToEnd is the presence time until the session ends without further signals,
// -1: never.
func (r *Registry) timeToEnd(index uint32) (ms int64) {
	s, le := r.sessions[index], &r.leases.all[index]
	ms = -1
	if s.sources.Has(FromBeats) {
		ms = max(0, r.leases.missTime(le, r.leases.params[le.params].Missed, r.clock)-r.clock)
	}
	if s.mediaDeadline != 0 && (ms < 0 || s.mediaDeadline-r.clock < ms) {
		ms = max(0, s.mediaDeadline-r.clock)
	}
	return ms
}
