package auth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"onair/server/config"
)

// keyServer serves a JWK set that changes. Without keys it answers 500.
type keyServer struct {
	mu       sync.Mutex // guards keys, requests
	keys     []map[string]string
	requests int
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.keys == nil {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": s.keys})
}

func (s *keyServer) setKeys(keys ...map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

func (s *keyServer) requestCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// newVerifier starts the server and returns a verifier for its set, both until the test
// ends.
func (s *keyServer) newVerifier(t *testing.T, log zerolog.Logger) *Verifier {
	t.Helper()
	server := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	v, err := NewVerifier(ctx, &config.Auth{JWKSURL: config.URL(server.URL)}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newECKey returns a private key, and its public key as a JWK with extra members.
func newECKey(t *testing.T, members map[string]string) (*ecdsa.PrivateKey, map[string]string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	maps.Copy(jwk, members)
	return key, jwk
}

// TestUnreadableKeySet: the verifier logs the failure and accepts tokens as soon as the
// set is available. Made-up key ids do not cause further reads.
func TestUnreadableKeySet(t *testing.T) {
	var log bytes.Buffer
	var keys keyServer
	v := keys.newVerifier(t, zerolog.New(&log))
	if !bytes.Contains(log.Bytes(), []byte("jwks read failed")) {
		t.Errorf("logged %q", log.String())
	}
	key, jwk := newECKey(t, map[string]string{"kid": "k"})
	keys.setKeys(jwk)
	token := func(kid string) string {
		return signClaims(t, jwt.SigningMethodES256, key, validClaims(), map[string]any{"kid": kid})
	}
	if _, err := v.Verify(t.Context(), token("k")); err != nil {
		t.Error(err)
	}
	before := keys.requestCount()
	for range 3 {
		if _, err := v.Verify(t.Context(), token("made up")); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%v, want %v", err, ErrNoMatchingKey)
		}
	}
	if n := keys.requestCount() - before; n != 0 {
		t.Errorf("unknown key ids caused %d reads of the set", n)
	}
}

// TestInvalidKeySet: a response that is no JWK set keeps the known keys and is reported
// as failed; a read with a redirect is reported once.
func TestInvalidKeySet(t *testing.T) {
	key, jwk := newECKey(t, map[string]string{"kid": "k"})
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		response string
		isError  bool
		keepsKey bool // the key of the previous set
	}{
		{`{"error":"sorry"}`, true, true},
		{`sorry`, true, true},
		{`[]`, true, true},
		{`null`, true, true},
		{`{"keys":{}}`, true, true},
		{`{"keys":[{"kty":"EC","crv":"P-256","kid":"x","x":"!","y":"!"}]}`, false, false}, // unusable, and the previous one was removed
		{`{"keys":[{"kty":"new","kid":"x"}]}`, false, false},
		{`{"keys":[]}`, false, false}, // all were removed
	} {
		var response atomic.Value // a string
		response.Store(string(set))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/keys", http.StatusFound)
				return
			}
			io.WriteString(w, response.Load().(string))
		}))
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var failed []bool // for each read
		v, err := NewVerifier(ctx, &config.Auth{JWKSURL: config.URL(server.URL + "/")}, func(_ int, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err != nil)
		}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		token := func(kid string) string {
			return signClaims(t, jwt.SigningMethodES256, key, validClaims(), map[string]any{"kid": kid})
		}
		if _, err := v.Verify(ctx, token("k")); err != nil {
			t.Error(err)
		}
		response.Store(c.response)
		if _, err := v.Verify(ctx, token("another")); !errors.Is(err, ErrNoMatchingKey) { // causes a read
			t.Errorf("%s: %v, want %v", c.response, err, ErrNoMatchingKey)
		}
		if _, err := v.Verify(ctx, token("k")); (err == nil) != c.keepsKey {
			t.Errorf("%s: the previous key: %v", c.response, err)
		}
		mu.Lock()
		if want := []bool{false, c.isError}; !slices.Equal(failed, want) {
			t.Errorf("%s: failed %v, want %v", c.response, failed, want)
		}
		mu.Unlock()
		cancel()
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	}
}

// TestReadOutlivesCaller: a read goes on for the next callers when its caller has left.
func TestReadOutlivesCaller(t *testing.T) {
	var keys keyServer
	keys.setKeys(map[string]string{})
	v := keys.newVerifier(t, zerolog.Nop())
	key, jwk := newECKey(t, map[string]string{"kid": "k"})
	keys.setKeys(jwk)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	token := signClaims(t, jwt.SigningMethodES256, key, validClaims(), map[string]any{"kid": "k"})
	if _, err := v.Verify(canceled, token); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// TestKeyUse: a key serves only its algorithm and signatures.
func TestKeyUse(t *testing.T) {
	var keys keyServer
	plain, plainJWK := newECKey(t, map[string]string{"kid": "plain"})
	whole, wholeJWK := newECKey(t, map[string]string{"kid": "whole", "alg": "ES256", "use": "sig"})
	enc, encJWK := newECKey(t, map[string]string{"kid": "enc", "use": "enc"})
	shared := map[string]string{"kid": "shared", "kty": "oct", "k": base64.RawURLEncoding.EncodeToString(secret)}
	keys.setKeys(plainJWK, wholeJWK, encJWK, shared)
	v := keys.newVerifier(t, zerolog.Nop())
	for _, c := range []struct {
		kid    string
		method jwt.SigningMethod
		key    any
		want   error
	}{
		{"plain", jwt.SigningMethodES256, plain, nil},
		{"whole", jwt.SigningMethodES256, whole, nil},
		{"whole", jwt.SigningMethodES256, plain, ErrSignature},
		{"enc", jwt.SigningMethodES256, enc, ErrNoMatchingKey},
		{"shared", jwt.SigningMethodHS256, secret, ErrNoMatchingKey},
		{"plain", jwt.SigningMethodHS256, secret, ErrNoMatchingKey},
	} {
		token := signClaims(t, c.method, c.key, validClaims(), map[string]any{"kid": c.kid})
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, c.want) {
			t.Errorf("%s by the key %s: %v, want %v", c.method.Alg(), c.kid, err, c.want)
		}
	}
}

// TestOddKeys: a key that cannot verify tokens is skipped, counted and named in the log; members
// that verification does not need do not matter.
func TestOddKeys(t *testing.T) {
	good, goodJWK := newECKey(t, map[string]string{"kid": "good"})
	marked := map[string]any{}
	for name, value := range map[string]string{"kid": "marked", "x5t": "12:AB:not base64", "x5u": "http://other.example/cert"} {
		marked[name] = value
	}
	markedKey, markedJWK := newECKey(t, nil)
	for name, value := range markedJWK {
		marked[name] = value
	}
	marked["key_ops"], marked["x5c"], marked["ext"] = []string{"verify", "vendorOp"}, []string{"bm8gY2VydGlmaWNhdGU="}, true
	_, incomplete := newECKey(t, map[string]string{"kid": "incomplete"})
	delete(incomplete, "y")
	_, samlUse := newECKey(t, map[string]string{"kid": "saml", "use": "saml_response_sig"})
	_, otherAlgorithm := newECKey(t, map[string]string{"kid": "other", "alg": "ES256K"})
	_, encryption := newECKey(t, map[string]string{"kid": "enc", "use": "enc"})
	set, err := json.Marshal(map[string]any{"keys": []any{
		incomplete, samlUse, otherAlgorithm, encryption, goodJWK, marked, map[string]any{"kid": 7}, "text",
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log bytes.Buffer
	unusable := 0
	v, err := NewVerifier(ctx, &config.Auth{JWKSURL: config.URL(server.URL)}, func(n int, err error) {
		if err != nil {
			t.Error(err)
		}
		unusable = n
	}, zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	if unusable != 5 {
		t.Errorf("%d unusable keys, want 5", unusable)
	}
	for _, name := range []string{"incomplete", "saml", "ES256K", "key 7", "key 8"} {
		if !strings.Contains(log.String(), name) {
			t.Errorf("the log does not name %q: %s", name, log.String())
		}
	}
	for kid, key := range map[string]*ecdsa.PrivateKey{"good": good, "marked": markedKey} {
		token := signClaims(t, jwt.SigningMethodES256, key, validClaims(), map[string]any{"kid": kid})
		if _, err := v.Verify(ctx, token); err != nil {
			t.Errorf("%s: %v", kid, err)
		}
	}
}

// TestKeySetWithoutKeyIDs: OpenID Connect requires ids only in sets with several keys. A token
// without one is verified with each key of its algorithm.
func TestKeySetWithoutKeyIDs(t *testing.T) {
	first, firstJWK := newECKey(t, nil)
	second, secondJWK := newECKey(t, map[string]string{"kid": "second"})
	stranger, _ := newECKey(t, nil)
	for name, c := range map[string]struct {
		set    []map[string]string
		key    *ecdsa.PrivateKey
		header map[string]any
		want   error
	}{
		"the only key":                {[]map[string]string{firstJWK}, first, nil, nil},
		"the only key, and an id":     {[]map[string]string{firstJWK}, first, map[string]any{"kid": "x"}, nil},
		"another key":                 {[]map[string]string{firstJWK}, stranger, nil, ErrSignature},
		"the first of two":            {[]map[string]string{firstJWK, secondJWK}, first, nil, nil},
		"the second of two":           {[]map[string]string{firstJWK, secondJWK}, second, nil, nil},
		"two keys, an unknown id":     {[]map[string]string{firstJWK, secondJWK}, first, map[string]any{"kid": "x"}, ErrNoMatchingKey},
		"the only key has another id": {[]map[string]string{secondJWK}, second, map[string]any{"kid": "x"}, ErrNoMatchingKey},
		"an empty set":                {[]map[string]string{}, first, nil, ErrNoMatchingKey},
	} {
		var keys keyServer
		keys.setKeys(c.set...)
		if len(c.set) == 0 {
			keys.keys = c.set
		}
		v := keys.newVerifier(t, zerolog.Nop())
		if _, err := v.Verify(t.Context(), signClaims(t, jwt.SigningMethodES256, c.key, validClaims(), c.header)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestUnreadableURLIsMasked: neither the log line nor its error has the URL's credentials.
func TestUnreadableURLIsMasked(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url := config.URL("http://user:S3cretPw@127.0.0.1:1/jwks?apikey=S3cretKey")
	if _, err := NewVerifier(ctx, &config.Auth{JWKSURL: url}, nil, zerolog.New(&log)); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "127.0.0.1:1/jwks") || strings.Contains(text, "S3cret") {
		t.Error(text)
	}
}
