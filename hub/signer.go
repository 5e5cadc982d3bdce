package hub

import (
	"math"

	"onair/presence"
)

// PlaySigner makes play URLs. They depend on live code and log time alone, so they
// are the same on every node. All methods must be safe for concurrent use.
type PlaySigner interface {
	// Protocols returns the protocols that streams can be played over.
	Protocols() []string
	// Expiry returns when the URLs in force at a log time expire. Both times are
	// in Unix milliseconds.
	Expiry(code string, logTime int64) (expiresMillis int64)
	// NextRenewal returns the first millisecond after logTime with another Expiry.
	NextRenewal(code string, logTime int64) (renewalLogTime int64)
	// AppendURL appends the URL of a protocol from Protocols.
	AppendURL(dst []byte, protocol, code string, expiresMillis int64) []byte
}

// viewURLs makes the play URLs of a view. The zero value makes none.
type viewURLs struct {
	signer    PlaySigner
	protocols []string
}

func (u viewURLs) hasURLs() bool { return len(u.protocols) > 0 }

// urlsDiffer reports whether a stream has different URLs at two log times.
func (u viewURLs) urlsDiffer(code string, oldLogTime, newLogTime int64) bool {
	return u.hasURLs() && oldLogTime != newLogTime && u.signer.Expiry(code, oldLogTime) != u.signer.Expiry(code, newLogTime)
}

// nextRenewal is the log time at which the first URL of a window changes.
func (u viewURLs) nextRenewal(window []*presence.Stream, logTime int64) (renewalLogTime int64) {
	next := int64(math.MaxInt64)
	if u.hasURLs() {
		for _, st := range window {
			next = min(next, u.signer.NextRenewal(st.Code, logTime))
		}
	}
	return next
}
