package wire

import (
	"cmp"
	"math"
)

// MaxReasonBytes is the longest reason of a ban, in bytes.
const MaxReasonBytes = 256

// BanRequest is the body of a call that bans an anchor; an empty one bans for ever.
type BanRequest struct {
	Until  int64 // Unix milliseconds; 0 is for ever
	Reason string
}

// DecodeBanRequest decodes the body of a ban. Its errors are as those of
// [DecodeAnchorRequest].
func DecodeBanRequest(data []byte) (*BanRequest, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := &BanRequest{Until: f.integer("until"), Reason: f.text("reason")}
	return m, refusal("", cmp.Or(
		f.fault, checkRange("until", m.Until, 0, maxCounter), checkName("reason", m.Reason, MaxReasonBytes),
	))
}

// SignRequest is the body of a call that asks for the URLs of a live code.
type SignRequest struct {
	Code      string
	ExpiresAt int64 // Unix milliseconds; 0 is what the server is configured for
}

// latestExpiry is the last time that the eight hexadecimal digits of a signed
// URL can name, in Unix milliseconds.
const latestExpiry = math.MaxUint32 * 1000

// DecodeSignRequest decodes the body of such a call. Its errors are as those of
// [DecodeAnchorRequest].
func DecodeSignRequest(data []byte) (*SignRequest, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := &SignRequest{Code: f.text("code"), ExpiresAt: f.integer("expires_at")}
	return m, refusal("", cmp.Or(f.fault, checkCode(m.Code), checkRange("expires_at", m.ExpiresAt, 0, latestExpiry)))
}

// PeekHeader reads what a message of a server says of itself: its type, its view
// and its position, each empty where there is none. The message must be valid;
// only its beginning is looked at.
func PeekHeader(text []byte) (typ, view, pos string) {
	for name, value := range members(text) {
		at := &pos
		switch string(name) {
		case "type":
			at = &typ
		case "view":
			at = &view
		case "pos":
		case "id", "prev", "code":
			continue
		default:
			return typ, view, pos
		}
		if *at, _ = parseText(value); at == &pos {
			break
		}
	}
	return typ, view, pos
}

// DecodeLikeBody decodes the body of a like whose code is known from elsewhere. Its
// errors are as those of [DecodeAnchorRequest].
func DecodeLikeBody(code string, data []byte) (*Like, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := &Like{Code: code, N: int(f.integer("n"))}
	if f.fault != "" {
		return nil, refusal("", f.fault)
	}
	return m, m.Validate()
}
