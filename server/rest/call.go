package rest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/response"
)

// handlerFunc answers one HTTP call of somebody who may make it. What it returns is
// answered as a problem.
type handlerFunc func(w http.ResponseWriter, r *http.Request, who auth.Identity) error

// requireRole serves callers with a token of one of the roles.
func (a *API) requireRole(next handlerFunc, roles ...auth.Role) http.HandlerFunc {
	return a.authorize(next, func(who auth.Identity, hasToken bool) error {
		switch {
		case !hasToken:
			return &wire.Error{Code: wire.CodeUnauthorized, Message: "this needs a token: Authorization: Bearer …"}
		case !slices.Contains(roles, who.Role):
			return &wire.Error{Code: wire.CodeForbidden, Message: "tokens of role " + string(who.Role) + " may not do this"}
		case who.Role == auth.Anchor:
			return a.checkCallRate(who.Subject)
		}
		return nil
	})
}

// checkCallRate limits an anchor over HTTP as a socket is limited. Back ends are not:
// they call for all of their anchors.
func (a *API) checkCallRate(anchor string) error {
	limits := a.Runtime.Current().Limits
	if a.callLimiter.allow(anchor, 1, limits.Rate, limits.Burst, time.Now()) {
		return nil
	}
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many calls of this anchor", RetryAfterMS: max(1, int64(1000/limits.Rate)),
	}
}

// requireViewer serves callers who may open a viewer socket.
func (a *API) requireViewer(next handlerFunc) http.HandlerFunc {
	return a.authorize(next, func(_ auth.Identity, hasToken bool) error {
		if !hasToken && !a.Runtime.Current().Viewer.Anonymous {
			return &wire.Error{Code: wire.CodeUnauthorized, Message: "this needs a token: Authorization: Bearer …"}
		}
		return nil
	})
}

func (a *API) authorize(next handlerFunc, check func(who auth.Identity, hasToken bool) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, hasToken, err := a.Tokens.VerifyRequest(r)
		if err == nil {
			err = check(who, hasToken)
		}
		if err == nil {
			err = next(w, r, who)
		}
		if err != nil {
			response.WriteProblem(w, err)
		}
	}
}

// MaxBody bounds the body of a call, in bytes: that of a message on an anchor
// socket.
const MaxBody = 16 << 10

// readBody reads a body, which is JSON whatever its Content-Type says (curl says
// another by itself); an empty one is an empty object.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "the body is too long, or did not come whole in time"}
	}
	if len(body) == 0 {
		return []byte(`{}`), nil
	}
	return body, nil
}

// readMessage reads a body that is a message of a socket.
func readMessage[T wire.Message](w http.ResponseWriter, r *http.Request, typ string) (m T, err error) {
	body, err := readBody(w, r)
	if err != nil {
		return m, err
	}
	decoded, err := wire.DecodeRequestBody(typ, body)
	if err != nil {
		return m, err
	}
	return decoded.(T), nil
}

// idempotencyKey reads the Idempotency-Key of a call; body is the key that the body
// names, where it may.
func idempotencyKey(r *http.Request, body string) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	switch {
	case key == "":
		return body, nil
	case body != "" && body != key:
		return "", &wire.Error{Code: wire.CodeBadRequest, Message: "key and Idempotency-Key differ: they are the same thing"}
	case len(key) > wire.MaxKeyBytes || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", &wire.Error{Code: wire.CodeBadRequest, Message: "Idempotency-Key must be at most 64 printable ASCII characters"}
	}
	return key, nil
}
