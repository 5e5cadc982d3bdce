package wire

import "cmp"

// Watch counts the socket among the viewers of one stream, until [Unwatch] or
// the end of the socket, and opens the view "code/<code>". Answer: [Watching].
type Watch struct {
	ID   ID
	Code string
	Play []string // protocols of the play URLs in the entry; nil means all, empty means none
}

// Head implements [Message].
func (m *Watch) Head() (string, ID) { return TypeWatch, m.ID }

func (m *Watch) visitMembers(c *codec) {
	c.visitID(&m.ID)
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

// Head implements [Message].
func (m *Watching) Head() (string, ID) { return TypeWatching, m.ID }

func (m *Watching) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("code", &m.Code)
	c.visitText("view", &m.View)
	c.visitText("pos", &m.Pos)
	c.visitEntry("entry", &m.Entry)
	c.visitInt64("expires_at", &m.ExpiresAt)
}

// Unwatch ends a [Watch]. Answer: [Unwatched].
type Unwatch struct {
	ID   ID
	Code string
}

// Head implements [Message].
func (m *Unwatch) Head() (string, ID) { return TypeUnwatch, m.ID }

func (m *Unwatch) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("code", &m.Code)
}

// Validate checks the form of the code. Its error is an [*Error].
func (m *Unwatch) Validate() error { return badRequestIfFault(m.ID, checkCode(m.Code)) }

// Unwatched answers [Unwatch].
type Unwatched struct {
	ID   ID
	Code string
}

// Head implements [Message].
func (m *Unwatched) Head() (string, ID) { return TypeUnwatched, m.ID }

func (m *Unwatched) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("code", &m.Code)
}

// Like adds likes to a stream. Answer: [Liked].
type Like struct {
	ID   ID
	Code string
	N    int // from 1 to MaxLikes
}

// Head implements [Message].
func (m *Like) Head() (string, ID) { return TypeLike, m.ID }

func (m *Like) visitMembers(c *codec) {
	c.visitID(&m.ID)
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

// Head implements [Message].
func (m *Liked) Head() (string, ID) { return TypeLiked, m.ID }

func (m *Liked) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("code", &m.Code)
}
