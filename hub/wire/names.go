package wire

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "onair.v1"

// The largest inbound messages, in bytes; a larger one closes the socket with
// [CloseTooLarge].
const (
	MaxAnchorMessageBytes = 16 << 10
	MaxViewerMessageBytes = 64 << 10
)

// Message types that either socket carries.
const (
	TypeAuth          = "auth"           // client: Auth
	TypeAuthenticated = "authenticated"  // server: Authenticated
	TypeDrain         = "drain"          // server: Drain
	TypeError         = "error"          // server: Error
	TypeTokenExpiring = "token_expiring" // server: TokenExpiring
	TypeWelcome       = "welcome"        // server: Welcome
)

// Message types of the anchor socket.
const (
	TypeAck      = "ack"      // server: Ack
	TypeBeat     = "beat"     // client: Beat
	TypeEnded    = "ended"    // server: Ended
	TypeNotice   = "notice"   // server: Notice
	TypeProbe    = "probe"    // server: Probe
	TypePush     = "push"     // client: PushRequest; server: Pushed
	TypeResume   = "resume"   // client: Resume
	TypeSettings = "settings" // server: Settings
	TypeStart    = "start"    // client: Start
	TypeStarted  = "started"  // server: Started
	TypeStop     = "stop"     // client: Stop
	TypeStopped  = "stopped"  // server: Stopped
	TypeUpdate   = "update"   // client: Update
	TypeUpdated  = "updated"  // server: Updated
)

// Message types of the viewer socket.
const (
	TypeDiff         = "diff"         // server: Diff
	TypeLike         = "like"         // client: Like
	TypeLiked        = "liked"        // server: Liked
	TypePing         = "ping"         // server: Ping
	TypeSnapshot     = "snapshot"     // server: Snapshot
	TypeSubscribe    = "subscribe"    // client: Subscribe
	TypeUnsubscribe  = "unsubscribe"  // client: Unsubscribe
	TypeUnsubscribed = "unsubscribed" // server: Unsubscribed
	TypeUnwatch      = "unwatch"      // client: Unwatch
	TypeUnwatched    = "unwatched"    // server: Unwatched
	TypeWatch        = "watch"        // client: Watch
	TypeWatching     = "watching"     // server: Watching
)

// States of a listed stream ([Entry.State]).
const (
	StateStarting = "starting" // the push URL is issued, nothing heard yet
	StateLive     = "live"     // beats arrive
	StateAway     = "away"     // "the host will be right back"; see Entry.Away
)

// Why a stream is away ([Entry.Away]).
const (
	AwayMissedBeat = "missed_beat" // the first beat was missed
	AwayMedia      = "media"       // the media server lost the picture
)

// Why a session ended ([Ended.Reason], [Error.Reason]).
const (
	EndMissedBeats = "missed_beats" // three beats missed
	EndTakenOver   = "taken_over"   // the anchor started on another device
	EndKicked      = "kicked"       // an operator ended it
	EndBanned      = "banned"       // the anchor was banned
	EndStreamLost  = "stream_lost"  // the media server says the stream is over
	EndStopped     = "stopped"      // the anchor stopped it; said only with session_gone
)

// NoticeDegraded is the notice code that asks an anchor to try a second socket
// and resume there if it is welcomed, else to stay.
const NoticeDegraded = "degraded"

// Sort orders of a view, all descending. See [CompareEntries].
const (
	SortViewers = "viewers" // most viewers first; the default
	SortLikes   = "likes"   // most likes first
	SortStarted = "started" // newest first
)
