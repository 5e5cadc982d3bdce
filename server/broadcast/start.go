package broadcast

import (
	"encoding/json"
	"slices"
	"strings"

	"onair/hub/wire"
	"onair/presence"
)

// NewStart checks a start against the configuration and returns its command.
// socket is the id of the connection that asks, "" for a call.
func (s *Service) NewStart(m *wire.Start, anchor, socket string) (*presence.Start, error) {
	list := m.List
	if list == "" {
		list = s.lists[0]
	}
	if !slices.Contains(s.lists, list) {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "list is not one of the configured lists"}
	}
	sources, err := s.sessionSources(m.Sources)
	if err != nil {
		return nil, err
	}
	session := presence.NewSession()
	code, err := s.codes.Code(anchor, m.Suffix, session)
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: err.Error()}
	}
	if of := s.OriginalCode(code); of != "" {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "the live code " + code + " is that of " + of + " transcoded, by play.templates: its URLs would be the same"}
	}
	full := false
	s.node.Read(func(r *presence.Registry) {
		full = r.Len() >= s.runtime.Current().Limits.Streams && r.StreamByAnchor(anchor) == nil
	})
	if full {
		return nil, &wire.Error{Code: wire.CodeLimitExceeded, Message: "as many streams are live as limits.streams allows"}
	}
	return &presence.Start{
		Session: session, Anchor: anchor, Code: code, List: list, Title: m.Title, Cover: m.Cover, Tags: m.Tags,
		Extra: json.RawMessage(m.Extra), Listed: !m.Unlisted, Sources: sources, Key: m.Key, Socket: socket,
	}, nil
}

// sessionSources returns what a session lives by: what its start names of the sources
// that are configured, or all of them.
func (s *Service) sessionSources(names []string) (presence.Sources, error) {
	have := presence.SourcesOf(presence.FromBeats)
	cfg := s.runtime.Current()
	if cfg.Hooks.AnyEnabled() {
		have |= presence.SourcesOf(presence.FromCallback)
	}
	if cfg.Poll.Provider != "" {
		have |= presence.SourcesOf(presence.FromPoll)
	}
	if len(names) == 0 {
		return have, nil
	}
	var set presence.Sources
	for _, name := range names {
		source, known := presence.ParseSource(name)
		if !known || !have.Has(source) {
			return 0, &wire.Error{Code: wire.CodeBadRequest, Message: "sources may name what is configured here: " + strings.Join(have.Names(), ", ")}
		}
		set |= presence.SourcesOf(source)
	}
	return set, nil
}

// NewUpdate returns the command that a message asks for.
func NewUpdate(m *wire.Update, session presence.Session) *presence.Update {
	c := &presence.Update{Session: session}
	if m.Title.Set {
		c.Title = &m.Title.Value
	}
	if m.Cover.Set {
		c.Cover = &m.Cover.Value
	}
	if m.Tags.Set {
		c.Tags = &m.Tags.Value
	}
	if m.Extra.Set {
		c.Extra = new([]byte(m.Extra.Value))
	}
	return c
}
