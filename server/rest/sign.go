package rest

import (
	"encoding/json"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/response"
)

// SignedURLs are the push and play URLs of one live code.
type SignedURLs struct {
	Code string          `json:"code"`
	Push json.RawMessage `json:"push"`
	Play json.RawMessage `json:"play"`
	// PlayExpiresAt is when the play URLs expire, in Unix milliseconds. Push has its own time.
	PlayExpiresAt int64 `json:"play_expires_at"`
}

// signURLs answers POST /v1/sign with push and play URLs of any live code, live or not.
func (a *API) signURLs(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	m, err := readDecoded(w, r, wire.DecodeSignRequest)
	if err != nil {
		return err
	}
	if m.ExpiresAt != 0 && m.ExpiresAt <= time.Now().UnixMilli() {
		return &wire.Error{Code: wire.CodeBadRequest, Message: "expires_at must be in the future"}
	}
	push := a.URLs.PushURLs(m.Code)
	play, expires := a.URLs.PlayURLs(m.Code, a.logTime())
	if m.ExpiresAt != 0 {
		push = a.URLs.PushURLsExpiringAt(m.Code, m.ExpiresAt)
		play, expires = a.URLs.PlayURLsExpiringAt(m.Code, m.ExpiresAt), m.ExpiresAt/1000*1000
	}
	response.WriteValue(w, SignedURLs{m.Code, wire.AppendPushURLs(nil, &push), play, expires})
	return nil
}
