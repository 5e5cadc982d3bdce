package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// TestHeaderOfToken: what a token's header may say with one key configured,
// where a key id that is none would have that key picked for it.
func TestHeaderOfToken(t *testing.T) {
	alone := newVerifier(t, Config{Secret: secret})
	named := newVerifier(t, Config{Secrets: map[string][]byte{"k": secret}})
	for name, c := range map[string]struct {
		v      *Verifier
		header map[string]any
		want   error
	}{
		"nothing":                          {alone, nil, nil},
		"nothing, and the key has an id":   {named, nil, nil},
		"the key's id":                     {named, map[string]any{"kid": "k"}, nil},
		"an id, and the key has none":      {alone, map[string]any{"kid": "k"}, ErrNoMatchingKey},
		"an empty id":                      {alone, map[string]any{"kid": ""}, ErrNoMatchingKey},
		"a number for an id":               {alone, map[string]any{"kid": 7}, ErrNoMatchingKey},
		"null for an id":                   {named, map[string]any{"kid": nil}, ErrNoMatchingKey},
		"a list of ids":                    {named, map[string]any{"kid": []string{"k"}}, ErrNoMatchingKey},
		"another algorithm":                {named, map[string]any{"kid": "k", "alg": "RS256"}, ErrNoMatchingKey},
		"no algorithm":                     {named, map[string]any{"kid": "k", "alg": "none"}, ErrNoMatchingKey},
		"an algorithm that nobody has":     {named, map[string]any{"kid": "k", "alg": "HS1024"}, ErrNoMatchingKey},
		"what is critical":                 {alone, map[string]any{"crit": []string{"b64"}, "b64": false}, ErrNoMatchingKey},
		"a key, and where to find another": {alone, map[string]any{"jwk": map[string]string{"kty": "oct"}, "jku": "http://x", "x5u": "http://x"}, nil},
	} {
		if _, err := c.v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, good(), c.header)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestKeylessTokenNeedsTheOnlyKey: with two keys of its algorithm, a token
// without a key id belongs to neither.
func TestKeylessTokenNeedsTheOnlyKey(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret, Secrets: map[string][]byte{"k": []byte(strings.Repeat("k", 32))}})
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, good(), nil)); !errors.Is(err, ErrNoMatchingKey) {
		t.Errorf("%v, want %v", err, ErrNoMatchingKey)
	}
}

// TestClaimsByTheirExactNames: an app that lets users add claims of their own
// must not give them a role by it.
func TestClaimsByTheirExactNames(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret})
	c := good()
	c["role"] = "viewer"
	for _, other := range []string{"Role", "ROLE", "roLe", " role"} {
		c[other] = "admin"
	}
	c["Sub"], c["Exp"] = "mallory", 1<<40
	who, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, c, nil))
	if err != nil || who.Role != Viewer || who.Subject != "alice" {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestClaimsOfOtherTypes(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret})
	for claim, c := range map[string]struct {
		value any
		want  error
	}{
		"sub": {7, ErrTokenMalformed}, "exp": {true, ErrTokenMalformed}, "nbf": {"x", ErrTokenMalformed}, "iat": {[]int{1}, ErrTokenMalformed},
		"iss": {1, ErrTokenMalformed}, "role": {[]string{"admin"}, ErrClaims},
	} {
		claims := good()
		claims[claim] = c.value
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, claims, nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", claim, err, c.want)
		}
	}
	claims := good()
	claims["sub"] = strings.Repeat("x", maxSubject)
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, claims, nil)); err != nil {
		t.Errorf("sub of %d bytes: %v", maxSubject, err)
	}
}

// TestSeveralAuthorizationLines: which of them counts is not for us to say.
func TestSeveralAuthorizationLines(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/?token=abc", nil)
	if token, present, err := BearerToken(r); token != "" || present || err != nil {
		t.Errorf("a token in the URL: %q, %v, %v", token, present, err)
	}
	r.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	if token, present, err := BearerToken(r); token != "" || !present || !errors.Is(err, ErrHeader) {
		t.Errorf("%q, %v, %v", token, present, err)
	}
}
