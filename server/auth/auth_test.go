package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"onair/server/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of thirty-two bytes or more, for tests")

func newVerifier(t testing.TB, c config.Auth) *Verifier {
	t.Helper()
	v, err := NewVerifier(t.Context(), &c, nil, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// validClaims are complete claims of an anchor.
func validClaims() jwt.MapClaims {
	return jwt.MapClaims{"sub": "alice", "role": "anchor", "exp": time.Now().Add(time.Hour).Unix()}
}

func signClaims(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestClaims(t *testing.T) {
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret), Issuer: "app", Audience: "onair"})
	hour := time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		change func(jwt.MapClaims)
		want   error
	}{
		"good":               {func(jwt.MapClaims) {}, nil},
		"several audiences":  {func(c jwt.MapClaims) { c["aud"] = []string{"x", "onair"} }, nil},
		"no exp":             {func(c jwt.MapClaims) { delete(c, "exp") }, ErrClaims},
		"expired":            {func(c jwt.MapClaims) { c["exp"] = time.Now().Unix() - 1 }, ErrExpired},
		"not yet":            {func(c jwt.MapClaims) { c["nbf"] = hour }, ErrNotYetValid},
		"not yet, in leeway": {func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(20 * time.Second).Unix() }, nil},
		"issued tomorrow":    {func(c jwt.MapClaims) { c["iat"] = hour }, ErrNotYetValid},
		"no sub":             {func(c jwt.MapClaims) { delete(c, "sub") }, ErrClaims},
		"empty sub":          {func(c jwt.MapClaims) { c["sub"] = "" }, ErrClaims},
		"long sub":           {func(c jwt.MapClaims) { c["sub"] = strings.Repeat("x", 129) }, ErrClaims},
		"no role":            {func(c jwt.MapClaims) { delete(c, "role") }, ErrClaims},
		"unknown role":       {func(c jwt.MapClaims) { c["role"] = "root" }, ErrClaims},
		"wrong issuer":       {func(c jwt.MapClaims) { c["iss"] = "other" }, ErrClaims},
		"no issuer":          {func(c jwt.MapClaims) { delete(c, "iss") }, ErrClaims},
		"wrong audience":     {func(c jwt.MapClaims) { c["aud"] = "other" }, ErrClaims},
		"no audience":        {func(c jwt.MapClaims) { delete(c, "aud") }, ErrClaims},
		"exp is a text":      {func(c jwt.MapClaims) { c["exp"] = "tomorrow" }, ErrClaims},
	} {
		claims := validClaims()
		claims["iss"], claims["aud"] = "app", "onair"
		c.change(claims)
		user, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, secret, claims, nil))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (user.Subject != "alice" || user.Role != Anchor || user.ExpiresAt.Unix() != claims["exp"]) {
			t.Errorf("%s: %+v", name, user)
		}
	}
}

// publicKeyPEM encodes a public key as PEM.
func publicKeyPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestAlgorithms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		method  jwt.SigningMethod
		public  any
		private any
	}{
		{jwt.SigningMethodRS256, &rsaKey.PublicKey, rsaKey},
		{jwt.SigningMethodES256, &ecKey.PublicKey, ecKey},
		{jwt.SigningMethodEdDSA, edPublic, edKey},
	} {
		text := publicKeyPEM(t, k.public)
		v := newVerifier(t, config.Auth{PublicKey: text})
		if _, err := v.Verify(t.Context(), signClaims(t, k.method, k.private, validClaims(), nil)); err != nil {
			t.Errorf("%s: %v", k.method.Alg(), err)
		}
		// Key confusion: the public key as an HMAC secret.
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, []byte(text), validClaims(), nil)); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%s: HS256 signed with the public key: %v", k.method.Alg(), err)
		}
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, validClaims(), nil)); err == nil {
			t.Errorf("%s: alg none is accepted", k.method.Alg())
		}
	}
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
	for name, token := range map[string]string{
		"HS512":         signClaims(t, jwt.SigningMethodHS512, secret, validClaims(), nil),
		"RS256":         signClaims(t, jwt.SigningMethodRS256, rsaKey, validClaims(), nil),
		"none":          signClaims(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, validClaims(), nil),
		"another key":   signClaims(t, jwt.SigningMethodHS256, append([]byte("x"), secret...), validClaims(), nil),
		"no token":      "",
		"three dots":    "...",
		"cut signature": strings.TrimRight(signClaims(t, jwt.SigningMethodHS256, secret, validClaims(), nil), "abcdefghijklmnopqrstuvwxyz"),
	} {
		if _, err := v.Verify(t.Context(), token); err == nil && name != "cut signature" {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	older, newer := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	v := newVerifier(t, config.Auth{Secrets: map[string]config.Secret{"old": config.Secret(older), "new": config.Secret(newer)}})
	for name, c := range map[string]struct {
		key  []byte
		kid  any
		want error
	}{
		"old":          {older, "old", nil},
		"new":          {newer, "new", nil},
		"exchanged":    {newer, "old", ErrSignature},
		"unknown":      {newer, "other", ErrNoMatchingKey},
		"a path":       {newer, "../../dev/null", ErrNoMatchingKey},
		"SQL":          {newer, "' OR 1=1 --", ErrNoMatchingKey},
		"an empty id":  {newer, "", ErrNoMatchingKey},
		"not a string": {newer, 7, ErrNoMatchingKey},
	} {
		header := map[string]any{"kid": c.kid}
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, c.key, validClaims(), header)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestHeaderKeysAreIgnored: a token cannot contain or name its own key.
func TestHeaderKeysAreIgnored(t *testing.T) {
	requested := false
	attacker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requested = true }))
	defer attacker.Close()
	ownKey := []byte(strings.Repeat("m", 32))
	v := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
	header := map[string]any{
		"jku": attacker.URL, "x5u": attacker.URL,
		"jwk": map[string]string{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(ownKey)},
	}
	if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodHS256, ownKey, validClaims(), header)); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want %v", err, ErrSignature)
	}
	if requested {
		t.Error("the header's URL was requested")
	}
}

func TestJWKS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig",
		"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	v, err := NewVerifier(ctx, &config.Auth{JWKSURL: config.URL(server.URL)}, nil, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	kid := map[string]any{"kid": "k1"}
	if _, err := v.Verify(ctx, signClaims(t, jwt.SigningMethodRS256, key, validClaims(), kid)); err != nil {
		t.Error(err)
	}
	for name, token := range map[string]string{
		"unknown kid": signClaims(t, jwt.SigningMethodRS256, key, validClaims(), map[string]any{"kid": "k2"}),
		"HS256":       signClaims(t, jwt.SigningMethodHS256, []byte(publicKeyPEM(t, &key.PublicKey)), validClaims(), kid),
	} {
		if _, err := v.Verify(ctx, token); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%s: %v, want %v", name, err, ErrNoMatchingKey)
		}
	}
}

// TestExpiryIsExact: a token is valid until its exp, without leeway.
func TestExpiryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, config.Auth{Secret: config.Secret(secret)})
		token, err := SignToken(secret, "", Identity{Subject: "alice", Role: Viewer}, time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("before exp: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrExpired) {
			t.Errorf("at exp: %v", err)
		}
	})
}

func TestBearerToken(t *testing.T) {
	for _, c := range []struct {
		lines []string
		token string
		err   error
	}{
		{nil, "", nil},
		{[]string{"Bearer abc"}, "abc", nil},
		{[]string{"bearer abc"}, "abc", nil},
		{[]string{"Basic c3RhZ2luZzpzdGFnaW5n"}, "", nil}, // for a proxy
		{[]string{"Negotiate abc"}, "", nil},
		{[]string{"Basic abc", "Bearer abc"}, "abc", nil},
		{[]string{"Bearer"}, "", ErrHeader},
		{[]string{"Bearer "}, "", ErrHeader},
		{[]string{"Bearer a b"}, "", ErrHeader},
		{[]string{"abc"}, "", ErrHeader},
		{[]string{"Bearer a", "Bearer b"}, "", ErrHeader}, // none has precedence
		{[]string{"Bearer a, Bearer b"}, "", ErrHeader},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?token=abc", nil)
		r.Header["Authorization"] = c.lines
		token, hasToken, err := TokenFromHeader(r)
		if token != c.token || hasToken != (c.token != "" || c.err != nil) || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %v, %v", c.lines, token, hasToken, err)
		}
	}
}

func TestInvalidPublicKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no PEM": "x", "P-384": publicKeyPEM(t, &p384.PublicKey)} {
		if _, err := NewVerifier(t.Context(), &config.Auth{PublicKey: text}, nil, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "auth.public_key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerify: only signed tokens are accepted, and no error contains a part of the
// token.
func FuzzVerify(f *testing.F) {
	f.Add("a.b.c")
	f.Add(signClaims(f, jwt.SigningMethodHS256, []byte("another"), validClaims(), nil))
	v := newVerifier(f, config.Auth{Secret: config.Secret(secret)})
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(t.Context(), token)
		if err == nil {
			t.Fatalf("%q is accepted", token)
		}
		if len(token) > 8 && strings.Contains(err.Error(), token) {
			t.Fatalf("the error contains the token: %v", err)
		}
	})
}
