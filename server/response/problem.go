package response

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"onair/hub/wire"
)

// Statuses maps the error codes of the protocol to HTTP statuses.
var Statuses = map[wire.ErrorCode]int{
	wire.CodeBadRequest:    http.StatusBadRequest,
	wire.CodeUnauthorized:  http.StatusUnauthorized,
	wire.CodeForbidden:     http.StatusForbidden,
	wire.CodeBanned:        http.StatusForbidden,
	wire.CodeNotFound:      http.StatusNotFound,
	wire.CodeAlreadyLive:   http.StatusConflict,
	wire.CodeCodeTaken:     http.StatusConflict,
	wire.CodeSessionGone:   http.StatusConflict,
	wire.CodeRateLimited:   http.StatusTooManyRequests,
	wire.CodeLimitExceeded: http.StatusTooManyRequests,
	wire.CodeUnavailable:   http.StatusServiceUnavailable,
	wire.CodeUnknown:       http.StatusGatewayTimeout,
}

// Problem is the body of an error response (RFC 9457).
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   wire.ErrorCode `json:"code"`

	RetryAfterMS int64         `json:"retry_after_ms,omitempty"`
	Reason       string        `json:"reason,omitempty"` // of session_gone: why the session ended
	Summary      *wire.Summary `json:"summary,omitempty"`
}

// WireErrorOrUnavailable is the error of the protocol that err is or wraps. It is nil for nil, and has
// code unavailable for other errors.
func WireErrorOrUnavailable(err error) *wire.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the server failed at this request"}
}

// WriteProblem writes an error with the status of its code.
func WriteProblem(w http.ResponseWriter, err error) {
	e := WireErrorOrUnavailable(err)
	WriteProblemStatus(w, Statuses[e.Code], e)
}

// WriteProblemStatus writes an error with another status. Its retry time, in milliseconds,
// is rounded up to the whole seconds of Retry-After.
func WriteProblemStatus(w http.ResponseWriter, status int, e *wire.Error) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.RetryAfterMS > 0 {
		seconds := (time.Duration(e.RetryAfterMS)*time.Millisecond + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code,
		RetryAfterMS: e.RetryAfterMS, Reason: e.Reason, Summary: e.Summary,
	})
}
