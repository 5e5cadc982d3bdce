package main

import (
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// kickStream answers POST /v1/streams/{code}/kick: it ends the live session of
// the code. The anchor may start again.
func (s *server) kickStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	key, e := keyOf(r, "")
	if e != nil {
		return e
	}
	c := &presence.Stop{Reason: presence.Kicked, By: who.Subject, Key: key}
	st := s.hub.StreamByCode(r.PathValue("code"))
	switch {
	case st != nil:
		c.Session = st.Session
	case key == "":
		return notLive()
	}
	result, e := s.do(r.Context(), c)
	if e != nil {
		if st == nil && e.Code == wire.CodeSessionGone {
			return notLive()
		}
		return e
	}
	writeValue(w, viewOf(result.Ended.Stream, result.Ended))
	return nil
}

// banView is a ban as the people who operate see it.
type banView struct {
	Anchor string `json:"anchor"`
	Until  int64  `json:"until,omitempty"` // Unix milliseconds; left out: for ever
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// anchorOf is the user id in a path.
func anchorOf(r *http.Request) (string, *wire.Error) {
	anchor := r.PathValue("anchor")
	if len(anchor) > wire.MaxAnchorBytes {
		return "", refuse(wire.CodeBadRequest, "a user id has at most 256 bytes")
	}
	return anchor, nil
}

// getBan answers GET /v1/bans/{anchor}.
func (s *server) getBan(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	var ban presence.Ban
	banned := false
	s.node.Read(func(reg *presence.Registry) { ban, banned = reg.ActiveBan(r.PathValue("anchor")) })
	if !banned {
		return refuse(wire.CodeNotFound, "this anchor is not banned")
	}
	writeValue(w, banView{ban.Anchor, ban.Until, ban.Reason, ban.By})
	return nil
}

// putBan answers PUT /v1/bans/{anchor}: it ends the anchor's live session and
// refuses its starts and pushes.
func (s *server) putBan(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	body, e := bodyOf(w, r)
	if e != nil {
		return e
	}
	m, err := wire.DecodeBanRequest(body)
	if err != nil {
		return err.(*wire.Error)
	}
	if m.Until != 0 && m.Until <= time.Now().UnixMilli() {
		return refuse(wire.CodeBadRequest, "until lies in the past")
	}
	c := &presence.Ban{Until: m.Until, Reason: m.Reason, By: who.Subject}
	if c.Anchor, e = anchorOf(r); e != nil {
		return e
	}
	if c.Key, e = keyOf(r, ""); e != nil {
		return e
	}
	if _, e := s.do(r.Context(), c); e != nil {
		return e
	}
	s.log.Info().Str("anchor", c.Anchor).Str("by", c.By).Str("reason", c.Reason).Int64("until", c.Until).Msg("banned")
	writeValue(w, banView{c.Anchor, c.Until, c.Reason, c.By})
	return nil
}

// deleteBan answers DELETE /v1/bans/{anchor}.
func (s *server) deleteBan(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	c := &presence.Unban{By: who.Subject}
	var e *wire.Error
	if c.Anchor, e = anchorOf(r); e != nil {
		return e
	}
	if c.Key, e = keyOf(r, ""); e != nil {
		return e
	}
	if _, e := s.do(r.Context(), c); e != nil {
		return e
	}
	s.log.Info().Str("anchor", c.Anchor).Str("by", c.By).Msg("no longer banned")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
