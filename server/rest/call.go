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

// handlerFunc answers an HTTP call of an authorized caller. A returned error is answered as a
// problem; then the handler must have written nothing.
type handlerFunc func(w http.ResponseWriter, r *http.Request, who auth.Identity) error

// errTokenNeeded answers a request without a token, which may have other credentials.
var errTokenNeeded = &wire.Error{Code: wire.CodeUnauthorized, Message: "this needs a token: Authorization: Bearer …, and no other scheme"}

// requireRoleAndCallRate calls next for callers with a token of one of the roles.
func (a *API) requireRoleAndCallRate(next handlerFunc, roles ...auth.Role) http.HandlerFunc {
	return a.authorize(next, func(who auth.Identity, hasToken bool) error {
		switch {
		case !hasToken:
			return errTokenNeeded
		case !slices.Contains(roles, who.Role):
			return &wire.Error{Code: wire.CodeForbidden, Message: "tokens of role " + string(who.Role) + " may not make this call"}
		case who.Role == auth.Anchor:
			return a.checkCallRate(who.Subject)
		}
		return nil
	})
}

// checkCallRate limits the calls of an anchor like the messages of a socket. Calls of back ends
// are not limited, because they are for many anchors.
func (a *API) checkCallRate(anchor string) error {
	limits := a.Runtime.Current().Limits
	if a.callLimiter.allow(anchor, 1, limits.Rate, limits.Burst, time.Now()) {
		return nil
	}
	return &wire.Error{
		Code: wire.CodeRateLimited, Message: "too many calls of this anchor", RetryAfterMS: max(1, int64(1000/limits.Rate)),
	}
}

// requireViewer calls next for callers who may open a viewer socket.
func (a *API) requireViewer(next handlerFunc) http.HandlerFunc {
	return a.authorize(next, func(_ auth.Identity, hasToken bool) error {
		if !hasToken && !a.Runtime.Current().Viewer.Anonymous {
			return errTokenNeeded
		}
		return nil
	})
}

// authorize calls next if the token is valid, or absent, and check allows the call.
func (a *API) authorize(next handlerFunc, check func(who auth.Identity, hasToken bool) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, hasToken, err := a.Runtime.VerifyBearerToken(r)
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

// MaxBody is the maximum size of a body in bytes, as of a message on an anchor socket.
const MaxBody = 16 << 10

// readBodyOrEmptyObject reads a JSON body with any Content-Type, because curl sets another by default. It
// returns an empty object for an empty body.
func readBodyOrEmptyObject(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "the body is too long, or was not complete in time"}
	}
	if len(body) == 0 {
		return []byte(`{}`), nil
	}
	return body, nil
}

// readDecoded reads a body and decodes it.
func readDecoded[T any](w http.ResponseWriter, r *http.Request, decode func(body []byte) (T, error)) (value T, err error) {
	body, err := readBodyOrEmptyObject(w, r)
	if err != nil {
		return value, err
	}
	return decode(body)
}

// readMessage reads a body that is a message of the protocol without its type.
func readMessage[T wire.Message](w http.ResponseWriter, r *http.Request, messageType string) (m T, err error) {
	decoded, err := readDecoded(w, r, func(body []byte) (wire.Message, error) { return wire.DecodeRequestBody(messageType, body) })
	if err != nil {
		return m, err
	}
	return decoded.(T), nil
}

// idempotencyKey returns the Idempotency-Key of a call, or else the key in its body.
func idempotencyKey(r *http.Request, bodyKey string) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	switch {
	case key == "":
		return bodyKey, nil
	case bodyKey != "" && bodyKey != key:
		return "", &wire.Error{Code: wire.CodeBadRequest, Message: "key and Idempotency-Key must be equal"}
	case len(key) > wire.MaxKeyBytes || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", &wire.Error{Code: wire.CodeBadRequest, Message: "Idempotency-Key must be at most 64 printable ASCII characters"}
	}
	return key, nil
}
