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
	ErrMalformed = errors.New("the token is malformed")                          // it is no JWT
	ErrKey       = errors.New("no key here checks this token")                   // alg or kid fits no key
	ErrSignature = errors.New("the token's signature is wrong")                  // another key signed it
	ErrExpired   = errors.New("the token has expired")                           // exp has passed
	ErrNotYet    = errors.New("the token is not valid yet")                      // nbf or iat lies ahead
	ErrClaims    = errors.New("the token's claims are not those asked for here") // sub, role, exp, iss or aud
	ErrHeader    = errors.New("the Authorization header is not of the form Bearer TOKEN")
)

// Config is which tokens are taken.
type Config struct {
	Secret    []byte            // HS256, for tokens without a key id where it is the only HS256 key
	Secrets   map[string][]byte // HS256, by key id
	PublicKey string            // PEM of an RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA) key
	JWKSURL   string            // keys for tokens whose key id is in this set
	Issuer    string            // "": not checked
	Audience  string            // "": not checked
	Logger    zerolog.Logger    // told when the JWKS cannot be read
	Fetched   func(error)       // called after each read of the JWKS, concurrently; may be nil
}

// Verifier checks tokens.
type Verifier struct {
	keys     []key
	remote   *remote // nil: no JWKS
	issuer   string
	audience string
}

// New makes a verifier. It returns an error when a key cannot be used. A JWKS
// that cannot be read is no error but a line in the log: its tokens are refused
// until it can be.
func New(ctx context.Context, c Config) (*Verifier, error) {
	v := &Verifier{issuer: c.Issuer, audience: c.Audience}
	if len(c.Secret) > 0 {
		v.keys = append(v.keys, key{alg: "HS256", key: c.Secret})
	}
	for kid, secret := range c.Secrets {
		v.keys = append(v.keys, key{"HS256", kid, secret})
	}
	if c.PublicKey != "" {
		k, err := parsePublicKey(c.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("auth.public_key: %w", err)
		}
		v.keys = append(v.keys, k)
	}
	if c.JWKSURL != "" {
		var err error
		if v.remote, err = newRemote(ctx, c.JWKSURL, c.Fetched, c.Logger); err != nil {
			return nil, fmt.Errorf("auth.jwks_url: %w", err)
		}
	}
	return v, nil
}

// methods are the algorithms that any key may have.
var methods = []string{"HS256", "RS256", "ES256", "EdDSA"}

// Verify returns who the token says somebody is, or one of the errors above.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	said, chosen := jwt.MapClaims{}, false
	_, err := jwt.NewParser(
		jwt.WithValidMethods(methods), jwt.WithoutClaimsValidation(),
	).ParseWithClaims(token, said, func(t *jwt.Token) (any, error) {
		k, err := v.choose(ctx, t)
		chosen = err == nil
		return k, err
	})
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Identity{}, ErrMalformed
	case err != nil && !chosen:
		return Identity{}, ErrKey
	case err != nil:
		return Identity{}, ErrSignature
	}
	return v.identify(said, time.Now())
}

// Mint signs a token with an HS256 secret, for the command line and for tests;
// who.ExpiresAt is not looked at.
func Mint(secret []byte, kid string, who Identity, ttl time.Duration, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": who.Subject, "role": who.Role, "iat": now.Unix(), "exp": now.Add(ttl).Unix(),
	})
	if kid != "" {
		t.Header["kid"] = kid
	}
	return t.SignedString(secret)
}
