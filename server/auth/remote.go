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
	// refreshEvery is how often the set is read anyway: how long a key that
	// was taken out of it still counts.
	refreshEvery = 15 * time.Minute

	// unknownEvery is the least time between two reads of the set for key ids
	// that it did not have: how late a new key may be known, against how often
	// anybody with made-up key ids can have the set read.
	unknownEvery = 30 * time.Second

	// patience is how long a token of an unknown key id waits for such a read,
	// and how long the read may take: no longer than a socket waits for auth.
	patience = 5 * time.Second
)

// remote is the set of keys behind a JWKS URL, kept fresh by a goroutine.
type remote struct{ set keyfunc.Keyfunc }

// newRemote reads the set, and goes on to do so until ctx ends.
func newRemote(ctx context.Context, url string, fetched func(error), log zerolog.Logger) (*remote, error) {
	set, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:            &http.Client{Transport: watched{fetched}},
		HTTPTimeout:       patience,
		RateLimitWaitMax:  patience,
		RefreshInterval:   refreshEvery,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownEvery), 1),
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				log.Error().Err(err).Str("url", url).Msg("could not read the JWKS; the keys it had before still count")
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &remote{set}, nil
}

// watched tells of each read of the set what came of it, and lets nothing through
// that is no set: the library would take it for one without keys.
type watched struct{ fetched func(error) }

// maxSet bounds the set, in bytes: a hundred keys are some 50 KB.
const maxSet = 1 << 20

// RoundTrip implements [http.RoundTripper].
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.tell(err)
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSet))
	answer.Body = io.NopCloser(bytes.NewReader(text))
	switch {
	case answer.StatusCode/100 == 3: // the client follows, and comes back here
		return answer, nil
	case err == nil && answer.StatusCode != http.StatusOK:
		err = errors.New(answer.Status)
	case err == nil:
		err = isSet(text)
	}
	w.tell(err)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// isSet says why a text is no JWK set. One that names no keys is: they were all
// taken out. Keys of kinds that nobody here knows are passed over, as by the
// library.
func isSet(text []byte) error {
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

func (w watched) tell(err error) {
	if w.fetched != nil {
		w.fetched(err)
	}
}

// choose gives the key of that id if it is a public key for that algorithm, and
// for signatures.
func (r *remote) choose(ctx context.Context, kid, alg string) (any, error) {
	// A caller that leaves does not spoil the read for those who come next.
	jwk, err := r.set.Storage().KeyRead(context.WithoutCancel(ctx), kid)
	if err != nil {
		return nil, ErrKey
	}
	said := jwk.Marshal()
	if said.ALG != "" && said.ALG.String() != alg || said.USE != "" && said.USE != "sig" || !fits(alg, jwk.Key()) {
		return nil, ErrKey
	}
	return jwk.Key(), nil
}
