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
	"sync"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

// keyServer serves a JWK set that changes.
type keyServer struct {
	mu   sync.Mutex // guards keys, asked
	keys []map[string]string
	// asked is how often it was read. Without keys it answers 500.
	asked int
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.keys == nil {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": s.keys})
}

func (s *keyServer) set(keys ...map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

func (s *keyServer) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// start serves keys and verifies by them, until the test ends.
func (s *keyServer) start(t *testing.T, log zerolog.Logger) *Verifier {
	t.Helper()
	server := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	v, err := NewVerifier(ctx, Config{JWKSURL: server.URL, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ecJWK makes a key, and its public half as a JWK with members on top.
func ecJWK(t *testing.T, members map[string]string) (*ecdsa.PrivateKey, map[string]string) {
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

// TestSetThatCannotBeRead: the server starts, says so, and takes tokens as soon
// as the set is there; one made-up key id after another does not have it read.
func TestSetThatCannotBeRead(t *testing.T) {
	var log bytes.Buffer
	var keys keyServer
	v := keys.start(t, zerolog.New(&log))
	if !bytes.Contains(log.Bytes(), []byte("could not read the JWKS")) {
		t.Errorf("logged %q", log.String())
	}
	key, jwk := ecJWK(t, map[string]string{"kid": "k"})
	keys.set(jwk)
	token := func(kid string) string {
		return sign(t, jwt.SigningMethodES256, key, good(), map[string]any{"kid": kid})
	}
	if _, err := v.Verify(t.Context(), token("k")); err != nil {
		t.Error(err)
	}
	reads := keys.reads()
	for range 3 {
		if _, err := v.Verify(t.Context(), token("made up")); !errors.Is(err, ErrNoMatchingKey) {
			t.Errorf("%v, want %v", err, ErrNoMatchingKey)
		}
	}
	if n := keys.reads() - reads; n != 0 {
		t.Errorf("the set was read %d times more for key ids that it has not", n)
	}
}

// TestWhatIsNoSet: an answer that is no set of keys takes none away, and is told
// of; one that was found elsewhere counts once.
func TestWhatIsNoSet(t *testing.T) {
	key, jwk := ecJWK(t, map[string]string{"kid": "k"})
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		answer string
		fails  bool
		stays  bool // the key that was in the set before
	}{
		{`{"error":"sorry"}`, true, true},
		{`sorry`, true, true},
		{`[]`, true, true},
		{`null`, true, true},
		{`{"keys":{}}`, true, true},
		{`{"keys":[{"kty":"EC","crv":"P-256","kid":"x","x":"!","y":"!"}]}`, true, true},
		{`{"keys":[{"kty":"new","kid":"x"}]}`, false, false},
		{`{"keys":[]}`, false, false}, // all were taken out
	} {
		var now atomic.Value // a string
		now.Store(string(set))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/keys", http.StatusFound)
				return
			}
			io.WriteString(w, now.Load().(string))
		}))
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var told []bool // whether each read failed
		v, err := NewVerifier(ctx, Config{JWKSURL: server.URL + "/", Logger: zerolog.Nop(), OnJWKSRead: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, err != nil)
		}})
		if err != nil {
			t.Fatal(err)
		}
		token := func(kid string) string {
			return sign(t, jwt.SigningMethodES256, key, good(), map[string]any{"kid": kid})
		}
		if _, err := v.Verify(ctx, token("k")); err != nil {
			t.Error(err)
		}
		now.Store(c.answer)
		if _, err := v.Verify(ctx, token("another")); !errors.Is(err, ErrNoMatchingKey) { // has the set read
			t.Errorf("%s: %v, want %v", c.answer, err, ErrNoMatchingKey)
		}
		if _, err := v.Verify(ctx, token("k")); (err == nil) != c.stays {
			t.Errorf("%s: the key that was there: %v", c.answer, err)
		}
		mu.Lock()
		if want := []bool{false, c.fails}; !slices.Equal(told, want) {
			t.Errorf("%s: failed %v, want %v", c.answer, told, want)
		}
		mu.Unlock()
		cancel()
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	}
}

// TestReadOutlivesItsCaller: a caller that has left leaves the set read for the
// next, as only so many are made.
func TestReadOutlivesItsCaller(t *testing.T) {
	var keys keyServer
	keys.set(map[string]string{})
	v := keys.start(t, zerolog.Nop())
	key, jwk := ecJWK(t, map[string]string{"kid": "k"})
	keys.set(jwk)
	gone, leave := context.WithCancel(t.Context())
	leave()
	token := sign(t, jwt.SigningMethodES256, key, good(), map[string]any{"kid": "k"})
	if _, err := v.Verify(gone, token); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// TestKeysOfASet: a key counts for its algorithm and for signatures alone.
func TestKeysOfASet(t *testing.T) {
	var keys keyServer
	plain, plainJWK := ecJWK(t, map[string]string{"kid": "plain"})
	whole, wholeJWK := ecJWK(t, map[string]string{"kid": "whole", "alg": "ES256", "use": "sig"})
	enc, encJWK := ecJWK(t, map[string]string{"kid": "enc", "use": "enc"})
	shared := map[string]string{"kid": "shared", "kty": "oct", "k": base64.RawURLEncoding.EncodeToString(secret)}
	keys.set(plainJWK, wholeJWK, encJWK, shared)
	v := keys.start(t, zerolog.Nop())
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
		token := sign(t, c.method, c.key, good(), map[string]any{"kid": c.kid})
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, c.want) {
			t.Errorf("%s by the key %s: %v, want %v", c.method.Alg(), c.kid, err, c.want)
		}
	}
}
