package wire

import (
	"cmp"
	"encoding/json"
)

// Update replaces each member that it names as a whole. Null removes a member;
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

func (m *Update) visitMembers(c *codec) {
	c.visitID(&m.ID)
	visitNullable(c, "title", &m.Title, c.visitText)
	visitNullable(c, "cover", &m.Cover, c.visitText)
	visitNullable(c, "tags", &m.Tags, c.visitTexts)
	visitNullable(c, "extra", &m.Extra, c.visitRawObject)
	c.visitOptionalText("session", &m.Session)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Update) Validate() error {
	fault := cmp.Or(checkTitle(m.Title.Value), checkTags(m.Tags.Value), checkOptionalSession(m.Session))
	if fault == "" && m.Cover.Set && !m.Cover.Null {
		fault = checkCover(m.Cover.Value)
	}
	if fault == "" && m.Extra.Set && !m.Extra.Null {
		fault = checkExtra(m.Extra.Value)
	}
	return badRequestIfFault(m.ID, fault)
}

// Updated answers [Update] with the updated stream.
type Updated struct {
	ID     ID
	Stream Entry
}

// Head implements [Message].
func (m *Updated) Head() (string, ID) { return TypeUpdated, m.ID }

func (m *Updated) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitEntry("stream", &m.Stream)
}
