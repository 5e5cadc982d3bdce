package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"onair/server/config"
)

// Role determines the permissions of a user.
type Role string

// The roles.
const (
	Anchor  Role = "anchor"  // starts and controls streams
	Viewer  Role = "viewer"  // reads lists
	Backend Role = "backend" // the app's servers
	Admin   Role = "admin"   // operators
)

// Identity is the authenticated user of a token.
type Identity struct {
	Subject   string // the user id
	Role      Role
	ExpiresAt time.Time
}

// Reasons for the rejection of a token. The messages contain nothing of the token.
var (
	ErrTokenMalformed = errors.New("token: malformed")                               // no JWT
	ErrNoMatchingKey  = errors.New("token: no key matches its algorithm and key id") // alg or kid
	ErrSignature      = errors.New("token: invalid signature")                       // signed by another key
	ErrExpired        = errors.New("token: expired")                                 // exp has passed
	ErrNotYetValid    = errors.New("token: not valid yet")                           // nbf or iat is in the future
	ErrClaims         = errors.New("token: invalid claims")                          // one is missing, or has a wrong type or value
	ErrHeader         = errors.New("the Authorization header must have the form Bearer TOKEN")
)

// Verifier verifies tokens.
type Verifier struct {
	configuredKeys []verificationKey
	jwks           keyfunc.Keyfunc // nil: no JWK set
	issuer         string          // "": not checked
	audience       string          // "": not checked
}

// NewVerifier returns an error if a configured key is invalid. A JWK set that cannot be
// read is only logged; its tokens are rejected until a later read succeeds. Unless it is
// nil, onJWKSRead is called after each read of the JWK set, concurrently, with the number of its
// keys that cannot verify tokens.
func NewVerifier(ctx context.Context, c *config.Auth, onJWKSRead func(unusableKeys int, err error), log zerolog.Logger) (*Verifier, error) {
	v := &Verifier{issuer: c.Issuer, audience: c.Audience}
	if c.Secret != "" {
		v.configuredKeys = append(v.configuredKeys, verificationKey{alg: "HS256", key: []byte(c.Secret.Reveal())})
	}
	for _, kid := range slices.Sorted(maps.Keys(c.Secrets)) {
		v.configuredKeys = append(v.configuredKeys, verificationKey{"HS256", kid, []byte(c.Secrets[kid].Reveal())})
	}
	if c.PublicKey != "" {
		k, err := parsePublicKey(c.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("auth.public_key: %w", err)
		}
		v.configuredKeys = append(v.configuredKeys, k)
	}
	if c.JWKSURL != "" {
		var err error
		if v.jwks, err = newRefreshingKeySet(ctx, c.JWKSURL, onJWKSRead, log); err != nil {
			return nil, fmt.Errorf("auth.jwks_url: %w", err)
		}
	}
	return v, nil
}

// algorithms are the supported signature algorithms.
var algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}

// Verify verifies a token and returns its user, or one of the errors above. It waits for a
// read of the JWK set if the token has an unknown key id.
func (v *Verifier) Verify(ctx context.Context, token string) (user Identity, err error) {
	claims, hasKey := jwt.MapClaims{}, false
	_, err = jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithoutClaimsValidation(),
	).ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		keys, err := v.candidateKeys(ctx, t)
		hasKey = err == nil
		return keys, err
	})
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Identity{}, ErrTokenMalformed
	case err != nil && !hasKey:
		return Identity{}, ErrNoMatchingKey
	case err != nil:
		return Identity{}, ErrSignature
	}
	return v.validateClaims(claims, time.Now())
}

// SignToken returns a token signed with an HS256 secret, for the command line and for
// tests. It ignores user.ExpiresAt.
func SignToken(secret []byte, kid string, user Identity, ttl time.Duration, now time.Time) (token string, err error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user.Subject, "role": user.Role, "iat": now.Unix(), "exp": now.Add(ttl).Unix(),
	})
	if kid != "" {
		t.Header["kid"] = kid
	}
	return t.SignedString(secret)
}
