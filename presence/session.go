package presence

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
)

// Session names one live broadcast of one anchor: 128 random bits. It is the
// anchor's secret; viewers never see it. Whoever names an older session of the
// same anchor changes nothing.
type Session [16]byte

// sessionText is lower-case base32 without padding, so that a session is safe
// in URLs, file names and logs of the anchor's own app.
var sessionText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrBadSession is returned when a text is not a session id.
var ErrBadSession = errors.New("presence: not a session id")

// NewSession makes a session id from the system's random source.
func NewSession() Session {
	var s Session
	rand.Read(s[:])
	return s
}

// ParseSession reads the text form that String gives. It returns
// ErrBadSession when the text is anything else.
func ParseSession(text string) (Session, error) {
	var s Session
	if len(text) != sessionText.EncodedLen(len(s)) {
		return Session{}, ErrBadSession
	}
	if n, err := sessionText.Decode(s[:], []byte(text)); err != nil || n != len(s) || s.String() != text {
		return Session{}, ErrBadSession
	}
	return s, nil
}

// String gives the text form: 26 characters of a-z and 2-7.
func (s Session) String() string { return sessionText.EncodeToString(s[:]) }

// tag is the 16 bits of a session that a beat carries beside the lease's
// index: after a failover the same index may belong to another session.
func (s Session) tag() uint16 { return binary.LittleEndian.Uint16(s[:2]) }
