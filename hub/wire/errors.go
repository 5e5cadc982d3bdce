package wire

import "fmt"

// ErrorCode is the machine-readable part of an [Error]. HTTP answers use the
// same codes.
type ErrorCode string

// The error codes.
const (
	CodeBadRequest    ErrorCode = "bad_request"    // not a message, or a member out of its bounds
	CodeUnauthorized  ErrorCode = "unauthorized"   // no token, or an invalid one
	CodeForbidden     ErrorCode = "forbidden"      // the token does not allow this
	CodeNotFound      ErrorCode = "not_found"      // no such stream, view or list
	CodeAlreadyLive   ErrorCode = "already_live"   // the socket has a session, or the anchor has one elsewhere
	CodeCodeTaken     ErrorCode = "code_taken"     // another live session has the live code
	CodeSessionGone   ErrorCode = "session_gone"   // the session has ended; see Reason and Summary
	CodeBanned        ErrorCode = "banned"         // the anchor is banned
	CodeRateLimited   ErrorCode = "rate_limited"   // too many requests; wait RetryAfterMS
	CodeLimitExceeded ErrorCode = "limit_exceeded" // over a configured bound
	CodeUnavailable   ErrorCode = "unavailable"    // nothing was written; retry, perhaps elsewhere
	CodeUnknown       ErrorCode = "unknown"        // the request may still take effect; repeat it with the same key
)

// Error is the message "error": the answer to a request that failed. It is also
// the Go error of [DecodeAnchorRequest], [DecodeViewerRequest] and Validate.
type Error struct {
	ID           ID
	Code         ErrorCode
	Message      string // one sentence for a developer
	RetryAfterMS int64  // 0 is left out

	// Only with CodeSessionGone, if the end is known.
	Reason  string
	Summary *Summary
}

// Error returns the code and the message.
func (m *Error) Error() string { return string(m.Code) + ": " + m.Message }

func (m *Error) header() (typ string, idOrNil *ID) { return TypeError, &m.ID }

func (m *Error) visitMembers(c *codec) {
	c.visitText("code", (*string)(&m.Code))
	c.visitText("message", &m.Message)
	c.visitInt64OmitZero("retry_after_ms", &m.RetryAfterMS)
	c.visitTextOmitEmpty("reason", &m.Reason)
	visitOptionalSummary(c, &m.Summary)
}

// badRequestIfFault returns the error for a fault, or nil if fault is empty.
func badRequestIfFault(id ID, fault string) error {
	if fault == "" {
		return nil
	}
	return &Error{ID: id, Code: CodeBadRequest, Message: fault}
}

// badFrameError returns a client's error for a frame that breaks the protocol.
func badFrameError(typ, fault string) error {
	if typ == "" {
		return fmt.Errorf("wire: bad frame: %s", fault)
	}
	return fmt.Errorf("wire: bad %s: %s", typ, fault)
}
