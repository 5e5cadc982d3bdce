package tokens

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/runtimeconfig"
)

// Verifier verifies tokens with the current keys. It may be used concurrently.
type Verifier struct {
	runtime *runtimeconfig.Store
	log     zerolog.Logger
	refused prometheus.Counter
}

// New registers the metric of refused tokens.
func New(runtime *runtimeconfig.Store, reg prometheus.Registerer, log zerolog.Logger) *Verifier {
	return &Verifier{runtime, log, promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_tokens_refused_total", Help: "Tokens that were refused: malformed, expired, or signed by no known key.",
	})}
}

// VerifyRequest verifies the bearer token of a request, which may have none. It returns
// the errors of VerifyToken, also for a malformed header.
func (v *Verifier) VerifyRequest(r *http.Request) (identity auth.Identity, hasToken bool, err error) {
	token, hasToken, err := auth.BearerToken(r)
	if err != nil {
		return identity, hasToken, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	if hasToken {
		identity, err = v.VerifyToken(r.Context(), token)
	}
	return identity, hasToken, err
}

// VerifyToken verifies a token. It returns wire.CodeUnauthorized when the token is refused.
// The error contains no part of the token.
func (v *Verifier) VerifyToken(ctx context.Context, token string) (auth.Identity, error) {
	identity, err := v.runtime.Current().Tokens.Verify(ctx, token)
	if err != nil {
		v.refused.Inc()
		v.log.Warn().Err(err).Msg("token refused")
		return identity, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	return identity, nil
}
