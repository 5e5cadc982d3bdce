package wire

import "cmp"

// Watch counts the socket among the viewers of one stream, until [Unwatch] or
// its end, and opens the view "code/<code>". Answer: [Watching].
type Watch struct {
	ID   ID
	Code string
	Play []string // protocols of the URLs that the entry carries; nil is all, empty is none
}

// Head implements [Message].
func (m *Watch) Head() (string, ID) { return TypeWatch, m.ID }

func (m *Watch) appendBody(dst []byte) []byte {
	dst = addText(dst, "code", m.Code)
	if m.Play != nil {
		dst = addTexts(dst, "play", m.Play)
	}
	return closeObject(dst)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Watch) Validate() error {
	return refusal(m.ID, cmp.Or(checkCode(m.Code), checkPlay(m.Play)))
}

// Watching answers [Watch]; diffs of View follow, and a del means that the
// stream has ended.
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

func (m *Watching) appendBody(dst []byte) []byte {
	dst = addText(dst, "code", m.Code)
	dst = addText(dst, "view", m.View)
	dst = addText(dst, "pos", m.Pos)
	dst = addEntry(dst, "entry", &m.Entry)
	return closeObject(addInt(dst, "expires_at", m.ExpiresAt))
}

func decodeWatching(f *fields) Message {
	return &Watching{
		ID: f.id, Code: f.text("code"), View: f.text("view"), Pos: f.text("pos"),
		Entry: f.entry("entry"), ExpiresAt: f.integer("expires_at"),
	}
}

// Unwatch ends a [Watch]. Answer: [Unwatched].
type Unwatch struct {
	ID   ID
	Code string
}

// Head implements [Message].
func (m *Unwatch) Head() (string, ID) { return TypeUnwatch, m.ID }

func (m *Unwatch) appendBody(dst []byte) []byte { return closeObject(addText(dst, "code", m.Code)) }

// Validate checks the form of the code. Its error is an [*Error].
func (m *Unwatch) Validate() error { return refusal(m.ID, checkCode(m.Code)) }

// Unwatched answers [Unwatch].
type Unwatched struct {
	ID   ID
	Code string
}

// Head implements [Message].
func (m *Unwatched) Head() (string, ID) { return TypeUnwatched, m.ID }

func (m *Unwatched) appendBody(dst []byte) []byte { return closeObject(addText(dst, "code", m.Code)) }

// Like adds likes to a stream. Answer: [Liked].
type Like struct {
	ID   ID
	Code string
	N    int // 1–100
}

// Head implements [Message].
func (m *Like) Head() (string, ID) { return TypeLike, m.ID }

func (m *Like) appendBody(dst []byte) []byte {
	dst = addText(dst, "code", m.Code)
	return closeObject(addInt(dst, "n", int64(m.N)))
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Like) Validate() error {
	return refusal(m.ID, cmp.Or(checkCode(m.Code), checkRange("n", int64(m.N), 1, MaxLikes)))
}

// Liked answers [Like].
type Liked struct {
	ID   ID
	Code string
}

// Head implements [Message].
func (m *Liked) Head() (string, ID) { return TypeLiked, m.ID }

func (m *Liked) appendBody(dst []byte) []byte { return closeObject(addText(dst, "code", m.Code)) }
