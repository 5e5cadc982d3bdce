package broadcast

import (
	"encoding/json"
	"slices"
	"strings"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/signing"
)

// NewStart checks a start and returns its command. socketID is the id of the socket that the
// session is attached to, "" for HTTP. An error of the protocol is returned when the
// configuration or a limit does not allow the start.
func (s *Service) NewStart(m *wire.Start, anchor, socketID string) (*presence.Start, error) {
	list := m.List
	if list == "" {
		list = s.lists[0]
	}
	if !slices.Contains(s.lists, list) {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "list must be one of the configured lists"}
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
	if original := s.OriginalCodeOrEmpty(code); original != "" {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "the live code " + code + " is reserved for the transcoded stream of " + original + " (play.templates)"}
	}
	s.warnIfAmbiguous(code)
	isFull := func(r *presence.Registry) bool {
		return r.Len() >= s.runtime.Current().Limits.Streams && r.StreamByAnchor(anchor) == nil
	}
	if presencenode.Query(s.node, isFull) {
		return nil, &wire.Error{Code: wire.CodeLimitExceeded, Message: "the server has reached its limit of live streams (limits.streams)"}
	}
	return &presence.Start{
		Session: session, Anchor: anchor, Code: code, List: list, Title: m.Title, Cover: m.Cover, Tags: m.Tags,
		Extra: json.RawMessage(m.Extra), Listed: !m.Unlisted, Sources: sources, Key: m.Key, Socket: socketID,
	}, nil
}

// warnIfAmbiguous logs, once, that a live code without its last hexadecimal digits is the code
// of a live stream: the cloud may accept the signed push URL of the one for the other (see
// [signing.EndsInHexDigit]).
func (s *Service) warnIfAmbiguous(code string) {
	if s.runtime.Current().Push.Provider != "tencent" {
		return
	}
	similar := presencenode.Query(s.node, func(r *presence.Registry) *presence.Stream {
		for shorter := code; signing.EndsInHexDigit(shorter); {
			shorter = shorter[:len(shorter)-1]
			if stream := r.StreamByCode(shorter); stream != nil {
				return stream
			}
		}
		return nil
	})
	if similar != nil {
		s.warnAmbiguous.Do(func() {
			s.log.Warn().Str("stream", code).Str("similar", similar.Code).
				Msg("live codes are ambiguous: if anchors choose their ids, end the template as in {bizid}_{anchor}_x")
		})
	}
}

// sessionSources is the set of evidence sources of a session: the named ones, or without
// names all configured ones. An error is returned when a named source is not configured.
func (s *Service) sessionSources(names []string) (presence.Sources, error) {
	configured := presence.SourcesOf(presence.FromBeats)
	cfg := s.runtime.Current()
	if cfg.Hooks.AnyEnabled() {
		configured |= presence.SourcesOf(presence.FromCallback)
	}
	if cfg.Poll.Provider != "" {
		configured |= presence.SourcesOf(presence.FromPoll)
	}
	if len(names) == 0 {
		return configured, nil
	}
	var chosen presence.Sources
	for _, name := range names {
		source, isSource := presence.ParseSource(name)
		if !isSource || !configured.Has(source) {
			return 0, &wire.Error{Code: wire.CodeBadRequest, Message: "sources must be configured ones: " + strings.Join(configured.Names(), ", ")}
		}
		chosen |= presence.SourcesOf(source)
	}
	return chosen, nil
}

// NewUpdate returns the command of an update. It changes only the members that are set.
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
