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

// Verifier checks tokens by the configuration in force. It may be used
// concurrently.
type Verifier struct {
	runtime *runtimeconfig.Store
	log     zerolog.Logger
	refused prometheus.Counter
}

// New registers the counter of refused tokens.
func New(runtime *runtimeconfig.Store, reg prometheus.Registerer, log zerolog.Logger) *Verifier {
	return &Verifier{runtime, log, promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "onair_tokens_refused_total", Help: "Tokens that were refused.",
	})}
}

// VerifyRequest verifies the token in the header of a request. hasToken is false
// when there is none.
func (v *Verifier) VerifyRequest(r *http.Request) (who auth.Identity, hasToken bool, err error) {
	token, hasToken, err := auth.BearerToken(r)
	if err != nil {
		return who, hasToken, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	if !hasToken {
		return who, false, nil
	}
	who, err = v.VerifyToken(r.Context(), token)
	return who, true, err
}

// VerifyToken checks a token. The error of a refused one never holds any of it.
func (v *Verifier) VerifyToken(ctx context.Context, token string) (auth.Identity, error) {
	who, err := v.runtime.Current().Tokens.Verify(ctx, token)
	if err != nil {
		v.refused.Inc()
		v.log.Warn().Err(err).Msg("token refused")
		return who, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	return who, nil
}
