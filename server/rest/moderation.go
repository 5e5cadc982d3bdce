package rest

import (
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/response"
)

// kickStream answers POST /v1/streams/{code}/kick: it ends the live session of the code. The
// anchor may start again.
func (a *API) kickStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	key, err := idempotencyKey(r, "")
	if err != nil {
		return err
	}
	c := &presence.Stop{Reason: presence.Kicked, By: who.Subject, Key: key}
	st := a.Hub.StreamByCode(r.PathValue("code"))
	switch {
	case st != nil:
		c.Session = st.Session
	case key == "":
		return broadcast.NewNotLiveError()
	}
	result, err := a.Broadcasts.Do(r.Context(), c)
	if err != nil {
		if st == nil && broadcast.WireErrorCode(err) == wire.CodeSessionGone {
			return broadcast.NewNotLiveError()
		}
		return err
	}
	response.WriteValue(w, newSessionView(result.Ended.Stream, result.Ended))
	return nil
}

// BanView is a ban as operators see it.
type BanView struct {
	Anchor string `json:"anchor"`
	Until  int64  `json:"until,omitempty"` // Unix milliseconds; left out: for ever
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// anchorInPath returns the user id in the path of a request.
func anchorInPath(r *http.Request) (string, error) {
	anchor := r.PathValue("anchor")
	if len(anchor) > wire.MaxAnchorBytes {
		return "", &wire.Error{Code: wire.CodeBadRequest, Message: "a user id has at most 256 bytes"}
	}
	return anchor, nil
}

// getBan answers GET /v1/bans/{anchor}.
func (a *API) getBan(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	var ban presence.Ban
	var isBanned bool
	a.Node.Read(func(reg *presence.Registry) { ban, isBanned = reg.ActiveBan(r.PathValue("anchor")) })
	if !isBanned {
		return &wire.Error{Code: wire.CodeNotFound, Message: "this anchor is not banned"}
	}
	response.WriteValue(w, BanView{ban.Anchor, ban.Until, ban.Reason, ban.By})
	return nil
}

// putBan answers PUT /v1/bans/{anchor}: it ends the anchor's live session, and its starts and
// pushes are rejected.
func (a *API) putBan(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	m, err := readDecoded(w, r, wire.DecodeBanRequest)
	if err != nil {
		return err
	}
	if m.Until != 0 && m.Until <= time.Now().UnixMilli() {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "until must be in the future"}
	}
	c := &presence.Ban{Until: m.Until, Reason: m.Reason, By: who.Subject}
	if c.Anchor, err = anchorInPath(r); err != nil {
		return err
	}
	if c.Key, err = idempotencyKey(r, ""); err != nil {
		return err
	}
	if _, err := a.Broadcasts.Do(r.Context(), c); err != nil {
		return err
	}
	a.Log.Info().Str("anchor", c.Anchor).Str("by", c.By).Str("reason", c.Reason).Int64("until", c.Until).Msg("anchor banned")
	response.WriteValue(w, BanView{c.Anchor, c.Until, c.Reason, c.By})
	return nil
}

// deleteBan answers DELETE /v1/bans/{anchor}.
func (a *API) deleteBan(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	c := &presence.Unban{By: who.Subject}
	var err error
	if c.Anchor, err = anchorInPath(r); err != nil {
		return err
	}
	if c.Key, err = idempotencyKey(r, ""); err != nil {
		return err
	}
	if _, err := a.Broadcasts.Do(r.Context(), c); err != nil {
		return err
	}
	a.Log.Info().Str("anchor", c.Anchor).Str("by", c.By).Msg("ban lifted")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
