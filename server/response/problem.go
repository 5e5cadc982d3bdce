package response

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"onair/hub/wire"
)

// Statuses maps the protocol's error codes to HTTP statuses. Sockets carry the
// code itself.
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

// Problem is an error answer over HTTP (RFC 9457).
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   wire.ErrorCode `json:"code"`

	RetryAfterMS int64         `json:"retry_after_ms,omitempty"`
	Reason       string        `json:"reason,omitempty"` // of session_gone: why it ended
	Summary      *wire.Summary `json:"summary,omitempty"`
}

// WireError returns the protocol's error that err is or wraps, unavailable for any
// other error, and nil for nil.
func WireError(err error) *wire.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the server could not handle this call"}
}

// WriteProblem answers with an error, under the status of its code.
func WriteProblem(w http.ResponseWriter, err error) {
	e := WireError(err)
	WriteProblemStatus(w, Statuses[e.Code], e)
}

// WriteProblemStatus answers with an error under another status. A retry time,
// in milliseconds, becomes Retry-After in whole seconds.
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
