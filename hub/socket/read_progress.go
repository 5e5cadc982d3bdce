package socket

import "time"

const (
	// unreadWindow is the number of sent bytes that a peer may leave unread. It is
	// about the size of the send buffer of a connection without a proxy.
	unreadWindow = 32 << 10

	// pingAfter is the number of sent bytes from one ping to the next. It is less
	// than unreadWindow, so that a peer that reads fast is not waited for.
	pingAfter = unreadWindow / 2

	// slowPong is the time for a pong above which a peer is slow. A slow peer gets one
	// message at a time.
	slowPong = time.Second

	// firstPongTimeout is the time after which a peer that has never answered a ping
	// is no longer waited for: its library may violate RFC 6455 §5.5.2.
	firstPongTimeout = 10 * time.Second
)

// pingFrame is the only ping of this package. The payload of its pong distinguishes it
// from an unsolicited one.
var pingFrame = []byte{finalBit | opPing, 1, 'r'}

const pingPayload = "r"

// readProgress is what is known of the bytes that the peer has read. The kernel knows
// what the next host has received, which may be a proxy with large buffers. A pong
// shows that the peer has read everything before its ping.
type readProgress struct {
	unreadBytes    int  // sent, not known to be read
	bytesAfterPing int  // the part of unreadBytes after the latest ping
	isPinged       bool // that ping awaits its pong
	pingedAt       instant
	hasAnswered    bool // a ping
	isSlow         bool // the last pong took longer than slowPong
	isUnlimited    bool // has not answered within firstPongTimeout
}

// isPingDue reports whether a ping should follow a message of that size.
func (p *readProgress) isPingDue(size int) bool {
	return !p.isPinged && (p.isSlow || p.unreadBytes+size >= pingAfter)
}

// addSent adds a frame that is sent, and whether a ping follows it.
func (p *readProgress) addSent(bytes int, hasPing bool) {
	p.unreadBytes += bytes
	p.bytesAfterPing += bytes
	if hasPing {
		p.bytesAfterPing, p.isPinged, p.pingedAt = 0, true, now()
	}
}

// handlePong is called for a pong to pingFrame.
func (p *readProgress) handlePong() {
	if p.isPinged {
		p.isSlow = now()-p.pingedAt > slowPong
	}
	p.unreadBytes, p.isPinged, p.hasAnswered, p.isUnlimited = p.bytesAfterPing, false, true, false
}

// isWindowFull reports whether the peer has to read before more is sent.
func (p *readProgress) isWindowFull() bool {
	return p.isPinged && !p.isUnlimited && (p.isSlow || p.unreadBytes >= unreadWindow)
}
