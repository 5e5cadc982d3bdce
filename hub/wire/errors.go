package wire

import "fmt"

// ErrorCode is the machine-readable part of an [Error]; HTTP answers use the same
// codes.
type ErrorCode string

// The error codes.
const (
	CodeBadRequest    ErrorCode = "bad_request"    // not a message, or a member out of its bounds
	CodeUnauthorized  ErrorCode = "unauthorized"   // no token, or one that is refused
	CodeForbidden     ErrorCode = "forbidden"      // the token does not allow this
	CodeNotFound      ErrorCode = "not_found"      // no such stream, view or list
	CodeAlreadyLive   ErrorCode = "already_live"   // the socket, or the anchor elsewhere, holds a session
	CodeCodeTaken     ErrorCode = "code_taken"     // the live code belongs to another live session
	CodeSessionGone   ErrorCode = "session_gone"   // the session has ended; Reason and Summary tell how
	CodeBanned        ErrorCode = "banned"         // the anchor is banned
	CodeRateLimited   ErrorCode = "rate_limited"   // too fast; wait RetryAfterMS
	CodeLimitExceeded ErrorCode = "limit_exceeded" // over a configured bound
	CodeUnavailable   ErrorCode = "unavailable"    // refused before it was written: try again, perhaps elsewhere
	CodeUnknown       ErrorCode = "unknown"        // it may yet take effect: repeat with the same key
)

// Error is the message "error": the answer to a request that was refused. It
// is also the Go error that [DecodeAnchorRequest], [DecodeViewerRequest] and Validate return.
type Error struct {
	ID           ID
	Code         ErrorCode
	Message      string // one sentence for a developer
	RetryAfterMS int64  // left out when 0

	// Only with CodeSessionGone, when the end is known.
	Reason  string
	Summary *Summary
}

// Error returns the code and the sentence.
func (m *Error) Error() string { return string(m.Code) + ": " + m.Message }

// Head implements [Message].
func (m *Error) Head() (string, ID) { return TypeError, m.ID }

func (m *Error) appendBody(dst []byte) []byte {
	dst = addText(dst, "code", string(m.Code))
	dst = addText(dst, "message", m.Message)
	if m.RetryAfterMS != 0 {
		dst = addInt(dst, "retry_after_ms", m.RetryAfterMS)
	}
	dst = addTextIf(dst, "reason", m.Reason)
	dst = addSummary(dst, m.Summary)
	return closeObject(dst)
}

func decodeError(f *fields) Message {
	return &Error{
		ID: f.id, Code: ErrorCode(f.text("code")), Message: f.text("message"), RetryAfterMS: f.integer("retry_after_ms"),
		Reason: f.text("reason"), Summary: f.summary("summary"),
	}
}

// refusal is the bad_request that says fault, or nil when there is no fault.
func refusal(id ID, fault string) error {
	if fault == "" {
		return nil
	}
	return &Error{ID: id, Code: CodeBadRequest, Message: fault}
}

// badFrame is what a client gets for a frame that no server should have sent.
func badFrame(typ, fault string) error {
	if typ == "" {
		return fmt.Errorf("wire: bad frame: %s", fault)
	}
	return fmt.Errorf("wire: bad %s: %s", typ, fault)
}
