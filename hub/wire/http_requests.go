package wire

import (
	"cmp"
	"math"
)

// MaxReasonBytes is the maximum length of a ban's reason.
const MaxReasonBytes = 256

// BanRequest is the body of the call that bans an anchor.
type BanRequest struct {
	Until  int64 // Unix milliseconds; 0 means for ever
	Reason string
}

// DecodeBanRequest decodes the body of a ban. Its errors are those of
// [DecodeAnchorRequest].
func DecodeBanRequest(body []byte) (*BanRequest, error) {
	c := newMessageReader(body)
	r := new(BanRequest)
	c.visitInt64("until", &r.Until)
	c.visitText("reason", &r.Reason)
	return r, badRequestIfFault("", cmp.Or(
		c.fault, checkRange("until", r.Until, 0, maxCounter), checkOptionalName("reason", r.Reason, MaxReasonBytes),
	))
}

// SignRequest is the body of the call that signs the URLs of a live code.
type SignRequest struct {
	Code      string
	ExpiresAt int64 // Unix milliseconds; 0 means the server's default
}

// latestExpiry is the last time that the eight hexadecimal digits of a signed
// URL can represent, in Unix milliseconds.
const latestExpiry = math.MaxUint32 * 1000

// DecodeSignRequest decodes the body of that call. Its errors are those of
// [DecodeAnchorRequest].
func DecodeSignRequest(body []byte) (*SignRequest, error) {
	c := newMessageReader(body)
	r := new(SignRequest)
	c.visitText("code", &r.Code)
	c.visitInt64("expires_at", &r.ExpiresAt)
	return r, badRequestIfFault("", cmp.Or(c.fault, checkCode(r.Code), checkRange("expires_at", r.ExpiresAt, 0, latestExpiry)))
}

// DecodeLikeBody decodes the body of a like for a code that the path names. Its
// errors are those of [DecodeAnchorRequest].
func DecodeLikeBody(code string, body []byte) (*Like, error) {
	c := newMessageReader(body)
	m := &Like{Code: code}
	if c.visitInt("n", &m.N); c.fault != "" {
		return nil, badRequestIfFault("", c.fault)
	}
	return m, m.Validate()
}
