package auth

import (
	"errors"
	"fmt"
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

// TestTokenWithoutKeyID: such a token is verified with each key of its algorithm, so that a key
// can be added while tokens of the first one have no key id.
func TestTokenWithoutKeyID(t *testing.T) {
	added, removed := []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("r", 32))
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret), Secrets: map[string]config.Secret{"k": config.Secret(added)}})
	for name, c := range map[string]struct {
		key  []byte
		want error
	}{"the first key": {secret, nil}, "the added key": {added, nil}, "a removed key": {removed, ErrSignature}} {
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, c.key, validClaims(), nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestCandidateKeysAreBounded: the first key is among the candidates, whatever its id sorts to.
func TestCandidateKeysAreBounded(t *testing.T) {
	secrets := map[string]config.Secret{}
	for i := range 2 * maxCandidates {
		secrets[fmt.Sprintf("%02d", i)] = config.Secret(fmt.Sprintf("%032d", i))
	}
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret), Secrets: secrets})
	for name, c := range map[string]struct {
		key  []byte
		want error
	}{"secret": {secret, nil}, "the last candidate": {[]byte(secrets["14"]), nil}, "one more": {[]byte(secrets["15"]), ErrSignature}} {
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, c.key, validClaims(), nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
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
		want  string
	}{
		"sub": {7, "sub must be a string"}, "exp": {"1700000000", "exp must be a number"}, "nbf": {"x", "nbf must be a number"},
		"iat": {[]int{1}, "iat must be a number"}, "iss": {1, "iss must be a string"}, "aud": {[]any{1}, "aud must be a string or a list of strings"},
		"role": {[]string{"admin"}, "role must be anchor, viewer, backend or admin"},
	} {
		claims := validClaims()
		claims[claim] = c.value
		_, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, claims, nil))
		if !errors.Is(err, ErrClaims) || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", claim, err, c.want)
		}
	}
	claims := validClaims()
	claims["sub"] = strings.Repeat("x", maxSubject)
	if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, claims, nil)); err != nil {
		t.Errorf("sub of %d bytes: %v", maxSubject, err)
	}
}
