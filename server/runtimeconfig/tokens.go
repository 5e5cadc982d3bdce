package runtimeconfig

import (
	"context"
	"errors"
	"net/http"

	"onair/hub/wire"
	"onair/server/auth"
)

// refusals are the reasons for refused tokens, and their labels.
var refusals = []struct {
	reason error
	result string
}{
	{auth.ErrHeader, "malformed"},
	{auth.ErrTokenMalformed, "malformed"},
	{auth.ErrNoMatchingKey, "no_key"},
	{auth.ErrSignature, "signature"},
	{auth.ErrClaims, "claims"},
	{auth.ErrExpired, "expired"},
	{auth.ErrNotYetValid, "not_yet_valid"},
}

// VerifyBearerToken verifies the bearer token of a request, which may have none. It returns
// the errors of VerifyToken, also for a malformed header.
func (s *Store) VerifyBearerToken(r *http.Request) (identity auth.Identity, hasToken bool, err error) {
	token, hasToken, err := auth.TokenFromHeader(r)
	if err != nil {
		return identity, hasToken, s.rejectToken(err)
	}
	if hasToken {
		identity, err = s.VerifyToken(r.Context(), token)
	}
	return identity, hasToken, err
}

// VerifyToken verifies a token with the current keys, and counts the result. It returns
// wire.CodeUnauthorized when the token is refused, which it also logs. The error contains no
// part of the token.
func (s *Store) VerifyToken(ctx context.Context, token string) (user auth.Identity, err error) {
	user, err = s.Current().Tokens.Verify(ctx, token)
	if err != nil {
		return user, s.rejectToken(err)
	}
	s.metrics.tokens.WithLabelValues("accepted").Inc()
	return user, nil
}

// rejectToken counts and logs the refusal of a token, and returns the error for its client.
func (s *Store) rejectToken(reason error) error {
	for _, r := range refusals {
		if errors.Is(reason, r.reason) {
			s.metrics.tokens.WithLabelValues(r.result).Inc()
		}
	}
	s.log.Warn().Err(reason).Msg("token refused")
	return &wire.Error{Code: wire.CodeUnauthorized, Message: reason.Error()}
}
