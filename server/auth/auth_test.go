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
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of thirty-two bytes or more, for tests")

func newVerifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	v, err := NewVerifier(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// good are claims that nothing is wrong with.
func good() jwt.MapClaims {
	return jwt.MapClaims{"sub": "alice", "role": "anchor", "exp": time.Now().Add(time.Hour).Unix()}
}

func sign(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims, header map[string]any) string {
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
	v := newVerifier(t, Config{Secret: secret, Issuer: "app", Audience: "onair"})
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
		"exp is a text":      {func(c jwt.MapClaims) { c["exp"] = "tomorrow" }, ErrTokenMalformed},
	} {
		claims := good()
		claims["iss"], claims["aud"] = "app", "onair"
		c.change(claims)
		who, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, secret, claims, nil))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (who.Subject != "alice" || who.Role != Anchor || who.ExpiresAt.Unix() != claims["exp"]) {
			t.Errorf("%s: %+v", name, who)
		}
	}
}

// pemOf writes a public key as PEM.
func pemOf(t testing.TB, key any) string {
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
		text := pemOf(t, k.public)
		v := newVerifier(t, Config{PublicKey: text})
		if _, err := v.Verify(t.Context(), sign(t, k.method, k.private, good(), nil)); err != nil {
			t.Errorf("%s: %v", k.method.Alg(), err)
		}
		// Key confusion: the public key taken for an HMAC secret.
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(text), good(), nil)); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%s: HS256 signed with the public key: %v", k.method.Alg(), err)
		}
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good(), nil)); err == nil {
			t.Errorf("%s: alg none is taken", k.method.Alg())
		}
	}
	v := newVerifier(t, Config{Secret: secret})
	for name, token := range map[string]string{
		"HS512":         sign(t, jwt.SigningMethodHS512, secret, good(), nil),
		"RS256":         sign(t, jwt.SigningMethodRS256, rsaKey, good(), nil),
		"none":          sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good(), nil),
		"another key":   sign(t, jwt.SigningMethodHS256, append([]byte("x"), secret...), good(), nil),
		"no token":      "",
		"three dots":    "...",
		"cut signature": strings.TrimRight(sign(t, jwt.SigningMethodHS256, secret, good(), nil), "abcdefghijklmnopqrstuvwxyz"),
	} {
		if _, err := v.Verify(t.Context(), token); err == nil && name != "cut signature" {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	older, newer := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	v := newVerifier(t, Config{Secrets: map[string][]byte{"old": older, "new": newer}})
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
		"none of two":  {newer, "", ErrNoMatchingKey},
		"not a string": {newer, 7, ErrNoMatchingKey},
	} {
		header := map[string]any{"kid": c.kid}
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, c.key, good(), header)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestHeaderKeysAreIgnored: a token does not bring, or point to, its own key.
func TestHeaderKeysAreIgnored(t *testing.T) {
	asked := false
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer evil.Close()
	own := []byte(strings.Repeat("m", 32))
	v := newVerifier(t, Config{Secret: secret})
	header := map[string]any{
		"jku": evil.URL, "x5u": evil.URL,
		"jwk": map[string]string{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(own)},
	}
	if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, own, good(), header)); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want %v", err, ErrSignature)
	}
	if asked {
		t.Error("the header's URL was asked for keys")
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
	v, err := NewVerifier(ctx, Config{JWKSURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	kid := map[string]any{"kid": "k1"}
	if _, err := v.Verify(ctx, sign(t, jwt.SigningMethodRS256, key, good(), kid)); err != nil {
		t.Error(err)
	}
	for name, token := range map[string]string{
		"unknown kid": sign(t, jwt.SigningMethodRS256, key, good(), map[string]any{"kid": "k2"}),
		"no kid":      sign(t, jwt.SigningMethodRS256, key, good(), nil),
		"HS256":       sign(t, jwt.SigningMethodHS256, []byte(pemOf(t, &key.PublicKey)), good(), kid),
	} {
		if _, err := v.Verify(ctx, token); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%s: %v, want %v", name, err, ErrNoMatchingKey)
		}
	}
}

// TestExpiryIsExact: a token holds until its exp, and no second longer.
func TestExpiryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Config{Secret: secret})
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

func TestFromHeader(t *testing.T) {
	for line, want := range map[string]struct {
		token string
		err   error
	}{
		"Bearer abc": {"abc", nil}, "bearer abc": {"abc", nil}, "Basic abc": {"", ErrHeader},
		"Bearer": {"", ErrHeader}, "Bearer ": {"", ErrHeader}, "Bearer a b": {"", ErrHeader}, "abc": {"", ErrHeader},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", line)
		token, present, err := BearerToken(r)
		if token != want.token || !present || !errors.Is(err, want.err) {
			t.Errorf("%q: %q, %v, %v", line, token, present, err)
		}
	}
	if _, present, err := BearerToken(httptest.NewRequest(http.MethodGet, "/", nil)); present || err != nil {
		t.Errorf("no header: %v, %v", present, err)
	}
}

func TestBadPublicKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no PEM": "x", "P-384": pemOf(t, &p384.PublicKey)} {
		if _, err := NewVerifier(t.Context(), Config{PublicKey: text}); err == nil || !strings.Contains(err.Error(), "auth.public_key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerify: nothing but a token that was signed here is taken, and no error
// holds any of what came.
func FuzzVerify(f *testing.F) {
	f.Add("a.b.c")
	f.Add(sign(f, jwt.SigningMethodHS256, []byte("another"), good(), nil))
	v := newVerifier(f, Config{Secret: secret})
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(t.Context(), token)
		if err == nil {
			t.Fatalf("%q is taken", token)
		}
		if len(token) > 8 && strings.Contains(err.Error(), token) {
			t.Fatalf("the error repeats the token: %v", err)
		}
	})
}
