package wire

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "onair.v1"

// The maximum sizes of inbound messages. A larger one closes the socket with
// [CloseTooLarge].
const (
	MaxAnchorMessageBytes = 16 << 10
	MaxViewerMessageBytes = 64 << 10
)

// States of a listed stream ([Entry.State]).
const (
	StateStarting = "starting" // the push URL is issued, nothing is received yet
	StateLive     = "live"     // beats arrive
	StateAway     = "away"     // "the host will be right back"; see Entry.Away
)

// The reasons why a stream is away ([Entry.Away]).
const (
	AwayMissedBeat = "missed_beat" // the first beat was missed
	AwayMedia      = "media"       // the push to the media server was lost
)

// The reasons why a session ended ([Ended.Reason], [Error.Reason]).
const (
	EndMissedBeats = "missed_beats" // the anchor missed too many beats
	EndTakenOver   = "taken_over"   // the anchor started on another device
	EndKicked      = "kicked"       // an operator ended it
	EndBanned      = "banned"       // the anchor was banned
	EndStreamLost  = "stream_lost"  // the media server reported the end of the stream
	EndStopped     = "stopped"      // the anchor stopped it; only with session_gone
)

// NoticeDegraded is the notice code of a node that cannot confirm beats. The
// anchor tries a second socket and resumes there if it receives a Welcome.
const NoticeDegraded = "degraded"

// Sort orders of a view, all descending. See [CompareEntries].
const (
	SortViewers = "viewers" // most viewers first; the default
	SortLikes   = "likes"   // most likes first
	SortStarted = "started" // newest first
)
