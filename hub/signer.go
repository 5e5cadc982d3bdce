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
	Expiry(code string, at int64) int64
	// NextRenewal returns the first millisecond after at with another Expiry.
	NextRenewal(code string, at int64) int64
	// AppendURL appends the URL of a protocol from Protocols.
	AppendURL(dst []byte, proto, code string, expires int64) []byte
}

// viewSigner makes the play URLs of a view. The zero value makes none.
type viewSigner struct {
	signer    PlaySigner
	protocols []string
}

func (s viewSigner) hasURLs() bool { return len(s.protocols) > 0 }

// urlsDiffer reports whether a stream has different URLs at two log times.
func (s viewSigner) urlsDiffer(code string, oldTime, newTime int64) bool {
	return s.hasURLs() && oldTime != newTime && s.signer.Expiry(code, oldTime) != s.signer.Expiry(code, newTime)
}

// nextRenewal is the log time at which the first URL of a window changes.
func (s viewSigner) nextRenewal(window []*presence.Stream, logTime int64) int64 {
	next := int64(math.MaxInt64)
	if s.hasURLs() {
		for _, st := range window {
			next = min(next, s.signer.NextRenewal(st.Code, logTime))
		}
	}
	return next
}
