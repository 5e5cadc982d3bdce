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
	// refreshInterval is how often the set is read anyway: how long a key that
	// was taken out of it still counts.
	refreshInterval = 15 * time.Minute

	// unknownKeyInterval is the least time between two reads of the set for key ids
	// that it did not have: how late a new key may be known, against how often
	// anybody with made-up key ids can have the set read.
	unknownKeyInterval = 30 * time.Second

	// fetchTimeout is how long a token of an unknown key id waits for such a read,
	// and how long the read may take: no longer than a socket waits for auth.
	fetchTimeout = 5 * time.Second
)

// keySet is the set of keys behind a JWKS URL, kept fresh by a goroutine.
type keySet struct{ keyfunc keyfunc.Keyfunc }

// newKeySet reads the set, and goes on to do so until ctx ends.
func newKeySet(ctx context.Context, url string, fetched func(error), log zerolog.Logger) (*keySet, error) {
	set, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:            &http.Client{Transport: jwksTransport{fetched}},
		HTTPTimeout:       fetchTimeout,
		RateLimitWaitMax:  fetchTimeout,
		RefreshInterval:   refreshInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeyInterval), 1),
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				log.Error().Err(err).Str("url", url).Msg("could not read the JWKS; the keys it had before still count")
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &keySet{set}, nil
}

// jwksTransport tells of each read of the set what came of it, and lets nothing through
// that is no set: the library would take it for one without keys.
type jwksTransport struct{ onRead func(error) }

// maxJWKSetBytes bounds the set, in bytes: a hundred keys are some 50 KB.
const maxJWKSetBytes = 1 << 20

// RoundTrip implements [http.RoundTripper].
func (w jwksTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.notify(err)
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxJWKSetBytes))
	answer.Body = io.NopCloser(bytes.NewReader(text))
	switch {
	case answer.StatusCode/100 == 3: // the client follows, and comes back here
		return answer, nil
	case err == nil && answer.StatusCode != http.StatusOK:
		err = errors.New(answer.Status)
	case err == nil:
		err = validateJWKSet(text)
	}
	w.notify(err)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// validateJWKSet says why a text is no JWK set. One that names no keys is: they were all
// taken out. Keys of kinds that nobody here knows are passed over, as by the
// library.
func validateJWKSet(text []byte) error {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil {
		return fmt.Errorf("it is no JWK set: %w", err)
	}
	if set.Keys == nil { // an error that is JSON, for instance
		return errors.New("it is no JWK set: it has no keys")
	}
	for _, key := range set.Keys {
		_, err := jwkset.NewJWKFromMarshal(key, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err != nil && !errors.Is(err, jwkset.ErrUnsupportedKey) {
			return fmt.Errorf("key %q of it: %w", key.KID, err)
		}
	}
	return nil
}

func (w jwksTransport) notify(err error) {
	if w.onRead != nil {
		w.onRead(err)
	}
}

// publicKey gives the key of that id if it is a public key for that algorithm, and
// for signatures.
func (r *keySet) publicKey(ctx context.Context, kid, alg string) (any, error) {
	// A caller that leaves does not spoil the read for those who come next.
	jwk, err := r.keyfunc.Storage().KeyRead(context.WithoutCancel(ctx), kid)
	if err != nil {
		return nil, ErrNoMatchingKey
	}
	said := jwk.Marshal()
	if said.ALG != "" && said.ALG.String() != alg || said.USE != "" && said.USE != "sig" || !matchesAlgorithm(alg, jwk.Key()) {
		return nil, ErrNoMatchingKey
	}
	return jwk.Key(), nil
}
