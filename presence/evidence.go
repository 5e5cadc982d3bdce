package presence

import "slices"

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

// List gives the words of those in the set.
func (set Sources) List() (words []string) {
	for s := range sourceNames {
		if set.Has(Source(s)) {
			words = append(words, sourceNames[s])
		}
	}
	return words
}

// Sign is what a source said.
type Sign uint8

// The signs there are.
const (
	Attached Sign = iota + 1 // a socket holds the session
	Detached                 // the socket closed; by itself this changes nothing
	Heard                    // a beat came
	Missed                   // a beat was missed
	Begun                    // a push has begun
	Going                    // a push goes on
	Finished                 // a push has ended
	Pictured                 // the cloud has made a picture of the video
	Online                   // asked, the cloud says that something is pushed
	Offline                  // asked, the cloud says that nothing is pushed
	Unknown                  // asked, the cloud gave no answer
)

var signNames = [...]string{
	Attached: "attached", Detached: "detached", Heard: "heard", Missed: "missed",
	Begun: "publish_begun", Going: "publishing", Finished: "publish_ended", Pictured: "pictured",
	Online: "online", Offline: "offline", Unknown: "unknown",
}

// String gives the word that `why` shows.
func (s Sign) String() string {
	if int(s) < len(signNames) {
		return signNames[s]
	}
	return ""
}

// Evidence is the last thing that one source said of a session. A session
// keeps one piece from each source, is archived with them, and `why` shows
// them.
type Evidence struct {
	Source Source
	Sign   Sign
	At     int64  // Unix milliseconds, log time
	Detail string // for people: a connection, a media session, a node
}

// Conflict is how two sources contradict each other about one session. The rules
// decide; that they had to is counted, for who looks after the sources.
type Conflict uint8

// The conflicts there are.
const (
	SilenceAgainstMedia  Conflict = iota // a beat was missed while a push is under way
	MediaEndAgainstBeats                 // the last push has ended while its anchor beats
	PollAgainstCallback                  // asked, the cloud says other than its callbacks
	conflicts
)

var conflictNames = [conflicts]string{
	SilenceAgainstMedia: "silence_against_media", MediaEndAgainstBeats: "media_end_against_beats", PollAgainstCallback: "poll_against_callback",
}

// String gives the label by which metrics count the conflict.
func (c Conflict) String() string { return conflictNames[c] }

// ConflictCounts counts conflicts, indexed by Conflict.
type ConflictCounts [conflicts]int
