package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"onair/hub/wire"
)

// statuses maps the protocol's error codes to HTTP statuses. One table for all
// of HTTP; sockets carry the code itself.
var statuses = map[wire.ErrorCode]int{
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

// problem is an error answer over HTTP (RFC 9457).
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   wire.ErrorCode `json:"code"`

	RetryAfterMS int64         `json:"retry_after_ms,omitempty"`
	Reason       string        `json:"reason,omitempty"` // of session_gone: why it ended
	Summary      *wire.Summary `json:"summary,omitempty"`
}

// writeProblem answers with an error. A retry time, in milliseconds, becomes
// Retry-After in whole seconds.
func writeProblem(w http.ResponseWriter, e *wire.Error) { writeStatus(w, statuses[e.Code], e) }

func writeStatus(w http.ResponseWriter, status int, e *wire.Error) {
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
	json.NewEncoder(w).Encode(problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code,
		RetryAfterMS: e.RetryAfterMS, Reason: e.Reason, Summary: e.Summary,
	})
}

// refuse makes an error of a code and one sentence for a developer.
func refuse(code wire.ErrorCode, sentence string) *wire.Error {
	return &wire.Error{Code: code, Message: sentence}
}
