package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

const (
	// refreshInterval is the time between two periodic reads of the set: a removed key
	// is accepted for that long.
	refreshInterval = 15 * time.Minute

	// unknownKeyInterval is the minimum time between two reads for unknown key ids. It
	// bounds the reads that made-up key ids cause, and delays a new key.
	unknownKeyInterval = 30 * time.Second

	// fetchTimeout bounds a read. A token with an unknown key id waits for it, no longer
	// than a socket waits for its token.
	fetchTimeout = 5 * time.Second
)

// newRefreshingKeySet reads the set, and starts a goroutine that refreshes it until ctx ends.
func newRefreshingKeySet(ctx context.Context, url string, onRead func(error), log zerolog.Logger) (keyfunc.Keyfunc, error) {
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:            &http.Client{Transport: jwksTransport{onRead}},
		HTTPTimeout:       fetchTimeout,
		RateLimitWaitMax:  fetchTimeout,
		RefreshInterval:   refreshInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeyInterval), 1),
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				log.Error().Err(err).Str("url", url).Msg("jwks read failed, known keys stay valid")
			}
		},
	})
}

// jwksTransport reports each read of the set. It turns a response that is no JWK set into
// an error, because the library would accept it as an empty set.
type jwksTransport struct{ onRead func(error) }

// maxJWKSetBytes bounds the set: a hundred keys have about 50 KB.
const maxJWKSetBytes = 1 << 20

// RoundTrip implements [http.RoundTripper].
func (w jwksTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.reportRead(err)
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSetBytes))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case resp.StatusCode/100 == 3: // the client follows, and calls this again
		return resp, nil
	case err == nil && resp.StatusCode != http.StatusOK:
		err = errors.New(resp.Status)
	case err == nil:
		err = validateJWKSet(body)
	}
	w.reportRead(err)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// validateJWKSet returns an error if a text is no JWK set. A set without keys is valid:
// all were removed. Like the library, it skips keys of unknown types.
func validateJWKSet(text []byte) error {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil {
		return fmt.Errorf("must be a JWK set: %w", err)
	}
	if set.Keys == nil { // for example an error in JSON
		return errors.New("must be a JWK set: the member keys is missing")
	}
	for _, key := range set.Keys {
		_, err := jwkset.NewJWKFromMarshal(key, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err != nil && !errors.Is(err, jwkset.ErrUnsupportedKey) {
			return fmt.Errorf("key %q of the JWK set: %w", key.KID, err)
		}
	}
	return nil
}

// reportRead calls onRead, if it is set, with the result of a read.
func (w jwksTransport) reportRead(err error) {
	if w.onRead != nil {
		w.onRead(err)
	}
}

// publicKeyFromJWKS returns the key with that id, if it is a public key for signatures with
// that algorithm, or ErrNoMatchingKey. It waits for a read of the set if the id is unknown.
func (v *Verifier) publicKeyFromJWKS(ctx context.Context, kid, alg string) (publicKey any, err error) {
	// A caller that leaves must not cancel the read, which also serves the next callers.
	jwk, err := v.jwks.Storage().KeyRead(context.WithoutCancel(ctx), kid)
	if err != nil {
		return nil, ErrNoMatchingKey
	}
	meta := jwk.Marshal()
	if meta.ALG != "" && meta.ALG.String() != alg || meta.USE != "" && meta.USE != "sig" || !keyMatchesAlgorithm(alg, jwk.Key()) {
		return nil, ErrNoMatchingKey
	}
	return jwk.Key(), nil
}
