package main

import (
	"encoding/json"
	"net/http"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/signing"
)

// addresses are all that the address generator has to say of one live code.
type addresses struct {
	Code string          `json:"code"`
	Push json.RawMessage `json:"push"`
	Play json.RawMessage `json:"play"`
	// PlayExpiresAt is when the play URLs end, in Unix milliseconds; push says
	// its own.
	PlayExpiresAt int64 `json:"play_expires_at"`
}

// signCode answers POST /v1/sign: push and play URLs for any live code, whether
// anybody has it or not.
func (s *server) signCode(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	body, e := bodyOf(w, r)
	if e != nil {
		return e
	}
	m, err := wire.DecodeSignRequest(body)
	if err != nil {
		return err.(*wire.Error)
	}
	if m.ExpiresAt != 0 && m.ExpiresAt <= time.Now().UnixMilli() {
		return refuse(wire.CodeBadRequest, "expires_at lies in the past")
	}
	push := s.pushURLs(m.Code)
	play, expires := s.playURLs(m.Code)
	if m.ExpiresAt != 0 {
		live := s.now()
		push = wirePush(live.pusher.URLsExpiringAt(m.Code, m.ExpiresAt/1000))
		play, expires = appendPlay(nil, live.player, m.Code, m.ExpiresAt), m.ExpiresAt/1000*1000
	}
	writeValue(w, addresses{m.Code, wire.AppendPushURLs(nil, &push), play, expires})
	return nil
}

// appendPlay appends all play URLs of a stream as one JSON object.
func appendPlay(dst []byte, player *signing.PlaySigner, code string, expires int64) []byte {
	dst = append(dst, '{')
	for i, p := range player.Protocols() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, string(p)), ':')
		dst = wire.AppendJSONString(dst, string(player.AppendURL(nil, p, code, expires)))
	}
	return append(dst, '}')
}
