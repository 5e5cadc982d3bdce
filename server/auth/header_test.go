package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"onair/server/config"
)

// TestTokenHeader verifies headers against one configured key: an invalid key id must
// not select it.
func TestTokenHeader(t *testing.T) {
	withoutID := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
	withID := newVerifier(t, config.Auth{Secrets: map[string]config.Secret{"k": config.Secret(secret)}})
	for name, c := range map[string]struct {
		v      *Verifier
		header map[string]any
		want   error
	}{
		"nothing":                        {withoutID, nil, nil},
		"nothing, and the key has an id": {withID, nil, nil},
		"the key's id":                   {withID, map[string]any{"kid": "k"}, nil},
		"an id, and the key has none":    {withoutID, map[string]any{"kid": "k"}, ErrNoMatchingKey},
		"an empty id":                    {withoutID, map[string]any{"kid": ""}, ErrNoMatchingKey},
		"a number for an id":             {withoutID, map[string]any{"kid": 7}, ErrNoMatchingKey},
		"null for an id":                 {withID, map[string]any{"kid": nil}, ErrNoMatchingKey},
		"a list of ids":                  {withID, map[string]any{"kid": []string{"k"}}, ErrNoMatchingKey},
		"another algorithm":              {withID, map[string]any{"kid": "k", "alg": "RS256"}, ErrNoMatchingKey},
		"no algorithm":                   {withID, map[string]any{"kid": "k", "alg": "none"}, ErrNoMatchingKey},
		"an unknown algorithm":           {withID, map[string]any{"kid": "k", "alg": "HS1024"}, ErrNoMatchingKey},
		"a critical extension":           {withoutID, map[string]any{"crit": []string{"b64"}, "b64": false}, ErrNoMatchingKey},
		"a key, and URLs of others":      {withoutID, map[string]any{"jwk": map[string]string{"kty": "oct"}, "jku": "http://x", "x5u": "http://x"}, nil},
	} {
		if _, err := c.v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, validClaims(), c.header)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestTokenWithoutKeyID is rejected if two keys have its algorithm.
func TestTokenWithoutKeyID(t *testing.T) {
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret), Secrets: map[string]config.Secret{"k": config.Secret([]byte(strings.Repeat("k", 32)))}})
	if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, validClaims(), nil)); !errors.Is(err, ErrNoMatchingKey) {
		t.Errorf("%v, want %v", err, ErrNoMatchingKey)
	}
}

// TestClaimNamesAreExact: an app that lets users add claims must not give them a role.
func TestClaimNamesAreExact(t *testing.T) {
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
	c := validClaims()
	c["role"] = "viewer"
	for _, other := range []string{"Role", "ROLE", "roLe", " role"} {
		c[other] = "admin"
	}
	c["Sub"], c["Exp"] = "mallory", 1<<40
	user, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, c, nil))
	if err != nil || user.Role != Viewer || user.Subject != "alice" {
		t.Errorf("%+v, %v", user, err)
	}
}

func TestClaimTypes(t *testing.T) {
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
	for claim, c := range map[string]struct {
		value any
		want  error
	}{
		"sub": {7, ErrTokenMalformed}, "exp": {true, ErrTokenMalformed}, "nbf": {"x", ErrTokenMalformed}, "iat": {[]int{1}, ErrTokenMalformed},
		"iss": {1, ErrTokenMalformed}, "role": {[]string{"admin"}, ErrClaims},
	} {
		claims := validClaims()
		claims[claim] = c.value
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, claims, nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", claim, err, c.want)
		}
	}
	claims := validClaims()
	claims["sub"] = strings.Repeat("x", maxSubject)
	if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, claims, nil)); err != nil {
		t.Errorf("sub of %d bytes: %v", maxSubject, err)
	}
}

// TestSeveralAuthorizationHeaders are rejected: none of them has precedence.
func TestSeveralAuthorizationHeaders(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/?token=abc", nil)
	if token, present, err := BearerToken(r); token != "" || present || err != nil {
		t.Errorf("a token in the URL: %q, %v, %v", token, present, err)
	}
	r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	if token, present, err := BearerToken(r); token != "" || !present || !errors.Is(err, ErrHeader) {
		t.Errorf("%q, %v, %v", token, present, err)
	}
}
