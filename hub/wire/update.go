package wire

import (
	"cmp"
	"encoding/json"
)

// Update replaces each member that it names as a whole; null removes it, and
// a removed title is empty. Answer: [Updated].
type Update struct {
	ID    ID
	Title Opt[string]
	Cover Opt[string]
	Tags  Opt[[]string]
	Extra Opt[json.RawMessage]

	Session string // only over HTTP
}

// Head implements [Message].
func (m *Update) Head() (string, ID) { return TypeUpdate, m.ID }

func (m *Update) appendBody(dst []byte) []byte {
	dst = addOpt(dst, "title", m.Title, addText)
	dst = addOpt(dst, "cover", m.Cover, addText)
	dst = addOpt(dst, "tags", m.Tags, addTexts)
	dst = addOpt(dst, "extra", m.Extra, addRaw[json.RawMessage])
	return closeObject(addTextIf(dst, "session", m.Session))
}

func decodeUpdate(f *fields) Message {
	return &Update{
		ID:    f.id,
		Title: opt(f, "title", f.text),
		Cover: opt(f, "cover", f.text),
		Tags:  opt(f, "tags", f.someTexts),
		Extra: opt(f, "extra", f.object),

		Session: f.text("session"),
	}
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Update) Validate() error {
	fault := cmp.Or(checkTitle(m.Title.Value), checkTags(m.Tags.Value), checkSessionIf(m.Session))
	if fault == "" && m.Cover.Set && !m.Cover.Null {
		fault = checkCover(m.Cover.Value)
	}
	if fault == "" && m.Extra.Set && !m.Extra.Null {
		fault = checkExtra(m.Extra.Value)
	}
	return refusal(m.ID, fault)
}

// Updated answers [Update] with the stream as it is now.
type Updated struct {
	ID     ID
	Stream Entry
}

// Head implements [Message].
func (m *Updated) Head() (string, ID) { return TypeUpdated, m.ID }

func (m *Updated) appendBody(dst []byte) []byte {
	return closeObject(addEntry(dst, "stream", &m.Stream))
}
