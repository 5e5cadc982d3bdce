package nodetest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/response"
)

// Response is the response to an HTTP call.
type Response struct {
	T      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// Decode decodes the JSON body into target.
func (a *Response) Decode(target any) *Response {
	a.T.Helper()
	if err := json.Unmarshal(a.Body, target); err != nil {
		a.T.Fatalf("%s: %v", a.Body, err)
	}
	return a
}

// RequireStatus fails the test unless the response has that status.
func (a *Response) RequireStatus(status int) *Response {
	a.T.Helper()
	if a.Status != status {
		a.T.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// RequireProblem fails the test unless the response is a problem with that status and code.
func (a *Response) RequireProblem(status int, code wire.ErrorCode) response.Problem {
	a.T.Helper()
	var p response.Problem
	a.RequireStatus(status).Decode(&p)
	if p.Code != code || p.Status != status || p.Detail == "" || a.Header.Get("Content-Type") != "application/problem+json" {
		a.T.Fatalf("%s problem %+v, want %s", a.Header.Get("Content-Type"), p, code)
	}
	return p
}

// NewRequest returns a request; each of headers is name: value.
func (s *Server) NewRequest(method, path, token, body string, headers ...string) *http.Request {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), method, "http://"+s.Host+path, strings.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// Call makes an HTTP call.
func (s *Server) Call(method, path, token, body string, headers ...string) *Response {
	s.T.Helper()
	r := s.NewRequest(method, path, token, body, headers...)
	res, err := s.HTTP.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	if err := LoadContract().CheckResponse(r, res.StatusCode, res.Header, text); err != nil {
		s.T.Error(err)
	}
	return &Response{s.T, res.StatusCode, res.Header, text}
}

// StartResult is the response to a start over HTTP.
type StartResult struct {
	Stream      wire.Entry
	Session     string
	Push        struct{ RTMP string }
	HeartbeatMS int64 `json:"heartbeat_ms"`
	MissedLimit int   `json:"missed_limit"`
}

// StartStream starts a session over HTTP, and fails the test if that fails.
func (s *Server) StartStream(token, body string, headers ...string) StartResult {
	s.T.Helper()
	var out StartResult
	s.Call("POST", "/v1/streams", token, body, headers...).RequireStatus(http.StatusCreated).Decode(&out)
	return out
}

// DayToken returns a token that is valid for a day.
func (s *Server) DayToken(role auth.Role, sub string) string {
	s.T.Helper()
	return s.Token(role, sub, 24*time.Hour)
}

// SumOfMetric returns the sum of all series of the node whose line begins with linePrefix.
func (s *Server) SumOfMetric(linePrefix string) float64 {
	s.T.Helper()
	return SumOfMetric(s.T, s.Get(s.Ops, "/metrics"), linePrefix)
}

// SignToken returns a token that the processes of tests accept, valid for an hour.
func SignToken(t *testing.T, role auth.Role, sub string) string {
	t.Helper()
	return signToken(t, TokenSecret, role, sub, time.Hour)
}

func signToken(t *testing.T, secret string, role auth.Role, sub string, ttl time.Duration) string {
	t.Helper()
	text, err := auth.SignToken([]byte(secret), "", auth.Identity{Subject: sub, Role: role}, ttl, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// SumOfMetric returns the sum of all series whose line begins with linePrefix.
func SumOfMetric(t *testing.T, metrics, linePrefix string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(metrics) {
		rest, found := strings.CutPrefix(line, linePrefix)
		if !found || rest[0] != ' ' && !strings.HasSuffix(linePrefix, ",") {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// ReadyStatus returns the HTTP status of /readyz.
func ReadyStatus(s *Server) int {
	s.T.Helper()
	res, err := s.Ops.Get("http://" + s.Host + "/readyz")
	if err != nil {
		s.T.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// JSON returns a value as JSON, or "" if it cannot be encoded.
func JSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
