package runtimeconfig

import (
	"context"
	"net/http"

	"onair/hub/wire"
	"onair/server/auth"
)

// VerifyBearerToken verifies the bearer token of a request, which may have none. It returns
// the errors of VerifyToken, also for a malformed header.
func (s *Store) VerifyBearerToken(r *http.Request) (user auth.Identity, hasToken bool, err error) {
	token, hasToken, err := auth.BearerToken(r)
	if err != nil {
		return user, hasToken, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	if hasToken {
		user, err = s.VerifyToken(r.Context(), token)
	}
	return user, hasToken, err
}

// VerifyToken verifies a token with the current keys. It returns wire.CodeUnauthorized when the
// token is refused, which it also logs and counts. The error contains no part of the token.
func (s *Store) VerifyToken(ctx context.Context, token string) (user auth.Identity, err error) {
	user, err = s.Current().Tokens.Verify(ctx, token)
	if err != nil {
		s.metrics.tokensRefused.Inc()
		s.log.Warn().Err(err).Msg("token refused")
		return user, &wire.Error{Code: wire.CodeUnauthorized, Message: err.Error()}
	}
	return user, nil
}
