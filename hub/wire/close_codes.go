package wire

// Standard WebSocket close codes as this protocol uses them. After 1001, 1006,
// 1011 or 1012 a client reconnects with full jitter.
const (
	CloseNormal      = 1000 // done: do not reconnect
	CloseGoingAway   = 1001 // the viewer was too slow, or the server shuts down: reconnect
	CloseBinary      = 1003 // the client sent a binary message: a bug, stop
	CloseInvalidUTF8 = 1007 // the client sent text that is not UTF-8: a bug, stop
	ClosePolicy      = 1008 // the client broke a rule of this server: stop
	CloseTooLarge    = 1009 // the client sent a message over the limit: a bug, stop
	CloseInternal    = 1011 // internal error of the server: reconnect
	CloseRestart     = 1012 // the server restarts without a drain: reconnect
	CloseOverloaded  = 1013 // the server is overloaded: reconnect later, with the longest backoff
)

// Close codes 4000–4099: the client stops.
const (
	CloseUnauthorized = 4001 // the token is invalid or expired: get a new one, then connect
	CloseRemoved      = 4003 // kicked or banned: inform the user, do not reconnect
	CloseTakenOver    = 4009 // another device has the broadcast: inform the user, do not reconnect
)

// Close codes 4100–4199: the client backs off, then reconnects.
const (
	CloseRateLimited    = 4100 // the client ignored rate_limited
	CloseNoAuth         = 4101 // no auth arrived in time
	CloseTooManySockets = 4113 // too many connections
)

// Close codes 4200–4299: the client reconnects now, with full jitter.
const (
	CloseDrained     = 4200 // after a drain: reconnect as the drain prescribes
	CloseMissedBeats = 4208 // too many missed beats: the session has ended, start anew
)

// IsCloseCode reports whether this protocol uses a close code.
func IsCloseCode(code int) bool {
	switch code {
	case CloseNormal, CloseGoingAway, CloseBinary, CloseInvalidUTF8, ClosePolicy, CloseTooLarge, CloseInternal, CloseRestart,
		CloseOverloaded, CloseUnauthorized, CloseRemoved, CloseTakenOver, CloseRateLimited, CloseNoAuth,
		CloseTooManySockets, CloseDrained, CloseMissedBeats:
		return true
	}
	return false
}
