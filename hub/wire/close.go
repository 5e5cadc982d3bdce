package wire

// Standard WebSocket close codes as this protocol uses them. A client that
// sees one of 1001, 1006, 1011 or 1012 reconnects with full jitter.
const (
	CloseNormal      = 1000 // done: do not reconnect
	CloseGoingAway   = 1001 // the viewer was too slow, or the server is leaving: reconnect
	CloseBinary      = 1003 // a binary message was sent: a bug in the client, stop
	CloseInvalidUTF8 = 1007 // text that is not UTF-8: a bug in the client, stop
	ClosePolicy      = 1008 // against a rule of this server: stop
	CloseTooLarge    = 1009 // a message over the limit: a bug in the client, stop
	CloseInternal    = 1011 // the server failed: reconnect
	CloseRestart     = 1012 // restarting without a drain: reconnect
	CloseOverloaded  = 1013 // no room here now: reconnect later, with the longest back-off
)

// IsCloseCode reports whether a code means something in this protocol.
func IsCloseCode(code int) bool {
	switch code {
	case CloseNormal, CloseGoingAway, CloseBinary, CloseInvalidUTF8, ClosePolicy, CloseTooLarge, CloseInternal, CloseRestart,
		CloseOverloaded, CloseUnauthorized, CloseRemoved, CloseTakenOver, CloseRateLimited, CloseNoAuth,
		CloseTooManySockets, CloseDrained, CloseMissedBeats:
		return true
	}
	return false
}

// Close codes 4000–4099: the client stops.
const (
	CloseUnauthorized = 4001 // token refused or expired: get a new one, then connect
	CloseRemoved      = 4003 // kicked or banned: tell the user, do not reconnect
	CloseTakenOver    = 4009 // another device has the broadcast: tell the user, do not reconnect
)

// Close codes 4100–4199: the client backs off, then reconnects.
const (
	CloseRateLimited    = 4100 // went on sending past rate_limited
	CloseNoAuth         = 4101 // no auth came in time
	CloseTooManySockets = 4113 // too many connections
)

// Close codes 4200–4299: the client reconnects now, with full jitter.
const (
	CloseDrained     = 4200 // after a drain: reconnect as the drain said
	CloseMissedBeats = 4208 // three missed beats: the session is over, start anew
)
