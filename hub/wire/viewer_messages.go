package wire

import "cmp"

// Message types of the viewer socket.
const (
	TypeDiff         = "diff"
	TypeLike         = "like"
	TypeLiked        = "liked"
	TypePing         = "ping"
	TypeSnapshot     = "snapshot"
	TypeSubscribe    = "subscribe"
	TypeUnsubscribe  = "unsubscribe"
	TypeUnsubscribed = "unsubscribed"
	TypeUnwatch      = "unwatch"
	TypeUnwatched    = "unwatched"
	TypeWatch        = "watch"
	TypeWatching     = "watching"
)

// The messages of the viewer socket, besides those of both sockets:
//
//	Subscribe (a live query)   → Snapshot or Diff, then Diffs until
//	Unsubscribe                → Unsubscribed
//	Watch (one stream)         → Watching, then Diffs until
//	Unwatch                    → Unwatched
//	Like                       → Liked
//
// The server also sends Ping to viewers without a view.
var (
	viewerRequests = []Message{&Subscribe{}, &Unsubscribe{}, &Watch{}, &Unwatch{}, &Like{}}

	viewerServerMessages = []Message{
		&Snapshot{}, &Diff{}, &Unsubscribed{}, &Watching{}, &Unwatched{}, &Liked{}, &Ping{},
	}
)

// Subscribe opens a view, which is a live query. Answer: [Snapshot], or [Diff]
// if the server can resume from Pos.
type Subscribe struct {
	ID      ID
	List    string   // "" means the first configured list
	Tags    []string // entries that have all of these tags; nil means any
	Anchors []string // entries of these user ids; nil means all, empty means none
	Sort    string   // SortViewers, SortLikes or SortStarted; "" means the default
	Limit   int      // 0 means the default; the hub bounds it
	Play    []string // protocols of the play URLs in each entry; nil means none
	Pos     string   // the client's position in this view, or ""
	View    string   // the view's id as the client has it, or ""; the server only compares it
}

func (m *Subscribe) header() (typ string, idOrNil *ID) { return TypeSubscribe, &m.ID }

func (m *Subscribe) visitMembers(c *codec) {
	c.visitTextOmitEmpty("list", &m.List)
	c.visitTextsOmitEmpty("tags", &m.Tags)
	c.visitTextsOrNil("anchors", &m.Anchors)
	c.visitTextOmitEmpty("sort", &m.Sort)
	c.visitIntOmitZero("limit", &m.Limit)
	if m.Limit < 1 && c.lookupNonNullMember("limit") != nil {
		c.setFault("limit", "must be at least 1")
	}
	c.visitTextsOmitEmpty("play", &m.Play)
	c.visitTextOmitEmpty("pos", &m.Pos)
	c.visitTextOmitEmpty("view", &m.View)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Subscribe) Validate() error {
	fault := cmp.Or(
		checkOptionalName("list", m.List, MaxListNameBytes),
		checkTags(m.Tags),
		checkTexts("anchors", m.Anchors, MaxAnchors, MaxAnchorBytes),
		checkPlay(m.Play),
		checkOptionalName("pos", m.Pos, MaxPosBytes),
		checkOptionalName("view", m.View, MaxViewBytes),
	)
	if fault == "" && m.Limit < 0 {
		fault = "limit must be at least 1"
	}
	if fault == "" {
		switch m.Sort {
		case "", SortViewers, SortLikes, SortStarted:
		default:
			fault = "sort must be viewers, likes or started"
		}
	}
	return badRequestIfFault(m.ID, fault)
}

// Unsubscribe closes a view. Answer: [Unsubscribed].
type Unsubscribe struct {
	ID   ID
	View string
}

func (m *Unsubscribe) header() (typ string, idOrNil *ID) { return TypeUnsubscribe, &m.ID }

func (m *Unsubscribe) visitMembers(c *codec) { c.visitText("view", &m.View) }

// Validate checks the bounds of the view. Its error is an [*Error].
func (m *Unsubscribe) Validate() error {
	if m.View == "" {
		return badRequestIfFault(m.ID, "view is required")
	}
	return badRequestIfFault(m.ID, checkOptionalName("view", m.View, MaxViewBytes))
}

// Unsubscribed answers [Unsubscribe].
type Unsubscribed struct {
	ID   ID
	View string
}

func (m *Unsubscribed) header() (typ string, idOrNil *ID) { return TypeUnsubscribed, &m.ID }

func (m *Unsubscribed) visitMembers(c *codec) { c.visitText("view", &m.View) }

// Snapshot is a whole view.
type Snapshot struct {
	ID      ID
	View    string
	Pos     string
	Total   int // entries that match, without the limit
	Streams []Entry
}

func (m *Snapshot) header() (typ string, idOrNil *ID) { return TypeSnapshot, &m.ID }

func (m *Snapshot) visitMembers(c *codec) {
	c.visitText("view", &m.View)
	c.visitText("pos", &m.Pos)
	c.visitInt("total", &m.Total)
	visitArray(c, "streams", &m.Streams, AppendEntry, parseEntry)
}

// Diff leads a view from one position to another. An empty diff only confirms
// the view.
type Diff struct {
	ID       ID // only in the answer to a Subscribe
	View     string
	Prev     string
	Pos      string
	HasTotal bool
	Total    int      // if HasTotal: entries that match, without the limit
	Put      []Entry  // entries that entered the view, or replace the client's
	Set      []Patch  // changed members of the client's entries
	Del      []string // codes that left the view
}

func (m *Diff) header() (typ string, idOrNil *ID) { return TypeDiff, &m.ID }

func (m *Diff) visitMembers(c *codec) {
	c.visitText("view", &m.View)
	c.visitText("prev", &m.Prev)
	c.visitText("pos", &m.Pos)
	m.HasTotal = m.HasTotal || c.lookupNonNullMember("total") != nil
	if m.HasTotal {
		c.visitInt("total", &m.Total)
	}
	if !c.isWriting || len(m.Put) > 0 {
		visitArray(c, "put", &m.Put, AppendEntry, parseEntry)
	}
	if !c.isWriting || len(m.Set) > 0 {
		visitArray(c, "set", &m.Set, appendPatch, parsePatch)
	}
	c.visitTextsOmitEmpty("del", &m.Del)
}

// Watch counts the socket among the viewers of one stream, until [Unwatch] or
// the end of the socket, and opens the view "code/<code>". Answer: [Watching].
type Watch struct {
	ID   ID
	Code string
	Play []string // protocols of the play URLs in the entry; nil means all, empty means none
}

func (m *Watch) header() (typ string, idOrNil *ID) { return TypeWatch, &m.ID }

func (m *Watch) visitMembers(c *codec) {
	c.visitText("code", &m.Code)
	c.visitTextsOrNil("play", &m.Play)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Watch) Validate() error {
	return badRequestIfFault(m.ID, cmp.Or(checkCode(m.Code), checkPlay(m.Play)))
}

// Watching answers [Watch]. Diffs of View follow; a del means that the stream
// has ended.
type Watching struct {
	ID        ID
	Code      string
	View      string
	Pos       string
	Entry     Entry
	ExpiresAt int64 // of the play URLs, Unix milliseconds
}

func (m *Watching) header() (typ string, idOrNil *ID) { return TypeWatching, &m.ID }

func (m *Watching) visitMembers(c *codec) {
	c.visitText("code", &m.Code)
	c.visitText("view", &m.View)
	c.visitText("pos", &m.Pos)
	c.visitRequiredEntry("entry", &m.Entry)
	c.visitInt64("expires_at", &m.ExpiresAt)
}

// Unwatch ends a [Watch]. Answer: [Unwatched].
type Unwatch struct {
	ID   ID
	Code string
}

func (m *Unwatch) header() (typ string, idOrNil *ID) { return TypeUnwatch, &m.ID }

func (m *Unwatch) visitMembers(c *codec) { c.visitText("code", &m.Code) }

// Validate checks the form of the code. Its error is an [*Error].
func (m *Unwatch) Validate() error { return badRequestIfFault(m.ID, checkCode(m.Code)) }

// Unwatched answers [Unwatch].
type Unwatched struct {
	ID   ID
	Code string
}

func (m *Unwatched) header() (typ string, idOrNil *ID) { return TypeUnwatched, &m.ID }

func (m *Unwatched) visitMembers(c *codec) { c.visitText("code", &m.Code) }

// Like adds likes to a stream. Answer: [Liked].
type Like struct {
	ID   ID
	Code string
	N    int // from 1 to MaxLikes
}

func (m *Like) header() (typ string, idOrNil *ID) { return TypeLike, &m.ID }

func (m *Like) visitMembers(c *codec) {
	c.visitText("code", &m.Code)
	c.visitInt("n", &m.N)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Like) Validate() error {
	return badRequestIfFault(m.ID, cmp.Or(checkCode(m.Code), checkRange("n", int64(m.N), 1, MaxLikes)))
}

// Liked answers [Like].
type Liked struct {
	ID   ID
	Code string
}

func (m *Liked) header() (typ string, idOrNil *ID) { return TypeLiked, &m.ID }

func (m *Liked) visitMembers(c *codec) { c.visitText("code", &m.Code) }

// Ping keeps an idle viewer socket without a view alive. It has no answer.
type Ping struct{}

func (m *Ping) header() (typ string, idOrNil *ID) { return TypePing, nil }

func (m *Ping) visitMembers(*codec) {}
