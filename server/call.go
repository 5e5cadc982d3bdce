package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
)

// call answers one HTTP call of somebody who may make it. What it returns is
// answered as a problem.
type call func(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error

// by lets in whoever has one of the roles.
func (s *server) by(next call, roles ...auth.Role) http.HandlerFunc {
	return s.admit(next, func(who auth.Identity, known bool) *wire.Error {
		switch {
		case !known:
			return refuse(wire.CodeUnauthorized, "this needs a token: Authorization: Bearer …")
		case !slices.Contains(roles, who.Role):
			return refuse(wire.CodeForbidden, "tokens of role "+string(who.Role)+" may not do this")
		case who.Role == auth.Anchor:
			return s.mayCall(who.Subject)
		}
		return nil
	})
}

// mayCall holds an anchor over HTTP to what a socket is held to. Back ends are
// not: they speak for all of their anchors.
func (s *server) mayCall(anchor string) *wire.Error {
	limits := s.now().cfg.Limits
	if s.callers.allow(anchor, 1, limits.Rate, limits.Burst, time.Now()) {
		return nil
	}
	e := refuse(wire.CodeRateLimited, "too many calls of this anchor")
	e.RetryAfterMS = max(1, int64(1000/limits.Rate))
	return e
}

// asViewer lets in who may open a viewer socket.
func (s *server) asViewer(next call) http.HandlerFunc {
	return s.admit(next, func(_ auth.Identity, known bool) *wire.Error {
		if !known && !s.now().cfg.Viewer.Anonymous {
			return refuse(wire.CodeUnauthorized, "this needs a token: Authorization: Bearer …")
		}
		return nil
	})
}

func (s *server) admit(next call, check func(who auth.Identity, known bool) *wire.Error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, known, e := s.identify(r)
		if e == nil {
			e = check(who, known)
		}
		if e == nil {
			e = next(w, r, who)
		}
		if e != nil {
			writeProblem(w, e)
		}
	}
}

// longBody bounds the body of a call, in bytes: that of a message on an anchor
// socket.
const longBody = 16 << 10

// bodyOf reads a body, which is JSON whatever its Content-Type says (curl says
// another by itself); an empty one is an empty object.
func bodyOf(w http.ResponseWriter, r *http.Request) ([]byte, *wire.Error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longBody))
	if err != nil {
		return nil, refuse(wire.CodeBadRequest, "the body is too long, or did not come whole in time")
	}
	if len(body) == 0 {
		return []byte(`{}`), nil
	}
	return body, nil
}

// requestOf reads a body that says what a message of a socket says.
func requestOf[T wire.Message](w http.ResponseWriter, r *http.Request, typ string) (m T, e *wire.Error) {
	body, e := bodyOf(w, r)
	if e != nil {
		return m, e
	}
	decoded, err := wire.DecodeRequestBody(typ, body)
	if err != nil {
		return m, err.(*wire.Error)
	}
	return decoded.(T), nil
}

// keyOf reads the Idempotency-Key of a call; body is the key that the body
// names, where it may.
func keyOf(r *http.Request, body string) (string, *wire.Error) {
	key := r.Header.Get("Idempotency-Key")
	switch {
	case key == "":
		return body, nil
	case body != "" && body != key:
		return "", refuse(wire.CodeBadRequest, "key and Idempotency-Key differ: they are the same thing")
	case len(key) > wire.MaxKeyBytes || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", refuse(wire.CodeBadRequest, "Idempotency-Key must be at most 64 printable ASCII characters")
	}
	return key, nil
}

// writeMessage answers with what a socket would have been sent.
func writeMessage(w http.ResponseWriter, status int, m wire.Message) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, wire.Append(nil, m))
}

// writeValue answers with a value that is known to encode.
func writeValue(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // URLs are to be read as they are
	_ = e.Encode(v)
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, http.StatusOK, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

func writeJSON(w http.ResponseWriter, body []byte) { writeBody(w, http.StatusOK, body) }

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(status)
	w.Write(body)
}
