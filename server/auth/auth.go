package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

// Role is what somebody may do.
type Role string

// The roles there are.
const (
	Anchor  Role = "anchor"  // streams
	Viewer  Role = "viewer"  // looks on
	Backend Role = "backend" // the app's own servers
	Admin   Role = "admin"   // people who operate
)

// Identity is who a token says somebody is.
type Identity struct {
	Subject   string // the user id
	Role      Role
	ExpiresAt time.Time
}

// Why a token is refused. None says anything of the token itself.
var (
	ErrTokenMalformed = errors.New("the token is malformed")                          // it is no JWT
	ErrNoMatchingKey  = errors.New("no key here checks this token")                   // alg or kid fits no key
	ErrSignature      = errors.New("the token's signature is wrong")                  // another key signed it
	ErrExpired        = errors.New("the token has expired")                           // exp has passed
	ErrNotYetValid    = errors.New("the token is not valid yet")                      // nbf or iat lies ahead
	ErrClaims         = errors.New("the token's claims are not those asked for here") // sub, role, exp, iss or aud
	ErrHeader         = errors.New("the Authorization header is not of the form Bearer TOKEN")
)

// Config is which tokens are taken.
type Config struct {
	Secret     []byte            // HS256, for tokens without a key id where it is the only HS256 key
	Secrets    map[string][]byte // HS256, by key id
	PublicKey  string            // PEM of an RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA) key
	JWKSURL    string            // keys for tokens whose key id is in this set
	Issuer     string            // "": not checked
	Audience   string            // "": not checked
	Logger     zerolog.Logger    // told when the JWKS cannot be read
	OnJWKSRead func(error)       // called after each read of the JWKS, concurrently; may be nil
}

// Verifier checks tokens.
type Verifier struct {
	configuredKeys []verificationKey
	jwks           *keySet // nil: no JWKS
	issuer         string
	audience       string
}

// NewVerifier makes a verifier. It returns an error when a key cannot be used. A JWKS
// that cannot be read is no error but a line in the log: its tokens are refused
// until it can be.
func NewVerifier(ctx context.Context, c Config) (*Verifier, error) {
	v := &Verifier{issuer: c.Issuer, audience: c.Audience}
	if len(c.Secret) > 0 {
		v.configuredKeys = append(v.configuredKeys, verificationKey{alg: "HS256", key: c.Secret})
	}
	for kid, secret := range c.Secrets {
		v.configuredKeys = append(v.configuredKeys, verificationKey{"HS256", kid, secret})
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
		if v.jwks, err = newKeySet(ctx, c.JWKSURL, c.OnJWKSRead, c.Logger); err != nil {
			return nil, fmt.Errorf("auth.jwks_url: %w", err)
		}
	}
	return v, nil
}

// algorithms are the algorithms that any key may have.
var algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}

// Verify returns who the token says somebody is, or one of the errors above.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	said, chosen := jwt.MapClaims{}, false
	_, err := jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithoutClaimsValidation(),
	).ParseWithClaims(token, said, func(t *jwt.Token) (any, error) {
		k, err := v.selectKey(ctx, t)
		chosen = err == nil
		return k, err
	})
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Identity{}, ErrTokenMalformed
	case err != nil && !chosen:
		return Identity{}, ErrNoMatchingKey
	case err != nil:
		return Identity{}, ErrSignature
	}
	return v.identity(said, time.Now())
}

// SignToken signs a token with an HS256 secret, for the command line and for tests;
// who.ExpiresAt is not looked at.
func SignToken(secret []byte, kid string, who Identity, ttl time.Duration, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": who.Subject, "role": who.Role, "iat": now.Unix(), "exp": now.Add(ttl).Unix(),
	})
	if kid != "" {
		t.Header["kid"] = kid
	}
	return t.SignedString(secret)
}
