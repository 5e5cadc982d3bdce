package wire

import (
	"cmp"
	"math"
)

// MaxReason is the longest reason of a ban, in bytes.
const MaxReason = 256

// Ban is the body of a call that bans an anchor; an empty one bans for ever.
type Ban struct {
	Until  int64 // Unix milliseconds; 0 is for ever
	Reason string
}

// DecodeBan decodes the body of a ban. Its errors are as those of
// [DecodeAnchor].
func DecodeBan(data []byte) (*Ban, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := &Ban{Until: f.integer("until"), Reason: f.text("reason")}
	return m, refusal("", cmp.Or(
		f.fault, checkRange("until", m.Until, 0, maxCounter), checkName("reason", m.Reason, MaxReason),
	))
}

// Sign is the body of a call that asks for the URLs of a live code.
type Sign struct {
	Code      string
	ExpiresAt int64 // Unix milliseconds; 0 is what the server is configured for
}

// latestExpiry is the last time that the eight hexadecimal digits of a signed
// URL can name, in Unix milliseconds.
const latestExpiry = math.MaxUint32 * 1000

// DecodeSign decodes the body of such a call. Its errors are as those of
// [DecodeAnchor].
func DecodeSign(data []byte) (*Sign, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := &Sign{Code: f.text("code"), ExpiresAt: f.integer("expires_at")}
	return m, refusal("", cmp.Or(f.fault, checkCode(m.Code), checkRange("expires_at", m.ExpiresAt, 0, latestExpiry)))
}

// Position reads what a message of a server says of itself: its type, its view
// and its position, each empty where there is none. The message must be valid;
// only its beginning is looked at.
func Position(text []byte) (typ, view, pos string) {
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

// DecodeLike decodes the body of a like whose code is known from elsewhere. Its
// errors are as those of [DecodeAnchor].
func DecodeLike(code string, data []byte) (*Like, error) {
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
