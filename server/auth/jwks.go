package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"onair/server/config"
	"onair/server/outgoing"
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
func newRefreshingKeySet(ctx context.Context, url config.URL, onRead func(unusableKeys int, err error), log zerolog.Logger) (keyfunc.Keyfunc, error) {
	transport := outgoing.NewTransport()
	context.AfterFunc(ctx, transport.CloseIdleConnections)
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{url.Reveal()}, keyfunc.Override{
		Client:            &http.Client{Transport: &jwksTransport{Transport: transport, onRead: onRead, log: log}},
		HTTPTimeout:       fetchTimeout,
		RateLimitWaitMax:  fetchTimeout,
		RefreshInterval:   refreshInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeyInterval), 1),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				log.Error().Err(outgoing.WithoutURL(err)).Stringer("url", url).Msg("jwks read failed, known keys stay valid")
			}
		},
	})
}

// jwksTransport reports each read of the set, and removes what the library could not use: a
// response that is no JWK set becomes an error, because the library would accept it as an empty
// set; an unusable key is left out, because the library would refuse the whole set for it.
type jwksTransport struct {
	*http.Transport
	onRead func(unusableKeys int, err error) // may be nil
	log    zerolog.Logger
	logged atomic.Pointer[string] // the unusable keys of the last read
}

// maxJWKSetBytes bounds the set: a hundred keys have about 50 KB.
const maxJWKSetBytes = 1 << 20

// RoundTrip implements [http.RoundTripper].
func (t *jwksTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if err != nil {
		t.reportRead(0, err)
		return nil, err
	}
	if resp.StatusCode/100 == 3 { // the client follows, and calls this again
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSetBytes))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	var unusable []error
	if err == nil {
		body, unusable, err = usableKeys(body)
	}
	t.reportRead(len(unusable), err)
	if err != nil {
		return nil, err
	}
	t.logUnusable(unusable)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// reportRead calls onRead, if it is set, with the result of a read.
func (t *jwksTransport) reportRead(unusableKeys int, err error) {
	if t.onRead != nil {
		t.onRead(unusableKeys, err)
	}
}

// logUnusable logs the unusable keys of a set if they differ from those of the last read.
func (t *jwksTransport) logUnusable(unusable []error) {
	var text string
	if err := errors.Join(unusable...); err != nil {
		text = err.Error()
	}
	if last := t.logged.Swap(&text); text != "" && (last == nil || *last != text) {
		t.log.Warn().Errs("errors", unusable).Msg("jwks keys skipped")
	}
}

// publicKeysOfJWKS returns the keys of an algorithm: those with the key id, or all if kid is empty.
// The id in a token is only a hint if the set has a single key, which has none (OpenID Connect
// Core 1.0, 10.1).
func (v *Verifier) publicKeysOfJWKS(kid, alg string) (keys []jwt.VerificationKey) {
	all, err := v.jwks.Storage().KeyReadAll(context.Background()) // from memory
	if err != nil {
		return nil
	}
	isOnlyKey := len(all) == 1 && all[0].Marshal().KID == ""
	for _, k := range all {
		meta := k.Marshal()
		if (kid == "" || meta.KID == kid || isOnlyKey) && (meta.ALG == "" || meta.ALG.String() == alg) && keyMatchesAlgorithm(alg, k.Key()) {
			keys = append(keys, k.Key())
		}
	}
	return keys
}

// refreshJWKSFor reads the set again if it does not have the key id, at most once in
// unknownKeyInterval. A caller that leaves does not cancel the read, which also serves the next
// callers.
func (v *Verifier) refreshJWKSFor(ctx context.Context, kid string) {
	_, _ = v.jwks.Storage().KeyRead(context.WithoutCancel(ctx), kid) // the error: the set has no such key
}
