package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
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

// maxSubject is the longest user id, in bytes.
const maxSubject = 128

// leeway is forgiven between the clocks of who signs and who checks, for nbf
// and iat. None is for exp: sockets close when a token says so.
const leeway = 30 * time.Second

// Config is which tokens are taken.
type Config struct {
	Secret    []byte            // HS256, for tokens without a key id
	Secrets   map[string][]byte // HS256, by key id
	PublicKey string            // PEM of an RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA) key
	JWKSURL   string
	Issuer    string // "": not checked
	Audience  string // "": not checked
}

// Verifier checks tokens.
type Verifier struct {
	keys     []key
	remote   keyfunc.Keyfunc // nil: no JWKS
	issuer   string
	audience string
}

// New makes a verifier. It returns an error when a key cannot be used, or the
// JWKS cannot be read at first.
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
		if v.remote, err = keyfunc.NewDefaultCtx(ctx, []string{c.JWKSURL}); err != nil {
			return nil, fmt.Errorf("auth.jwks_url: %w", err)
		}
	}
	return v, nil
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Role Role `json:"role"`
}

// Verify returns who the token says somebody is, or one of the errors above.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	var c claims
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256", "RS256", "ES256", "EdDSA"}), jwt.WithoutClaimsValidation(),
	).ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return v.choose(ctx, t) })
	switch {
	case errors.Is(err, ErrKey), errors.Is(err, jwt.ErrTokenUnverifiable):
		return Identity{}, ErrKey
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return Identity{}, ErrSignature
	case err != nil:
		return Identity{}, ErrMalformed
	}
	if err := v.check(&c, time.Now()); err != nil {
		return Identity{}, err
	}
	return Identity{Subject: c.Subject, Role: c.Role, ExpiresAt: c.ExpiresAt.Time}, nil
}

// check looks at the claims of a token whose signature is right.
func (v *Verifier) check(c *claims, now time.Time) error {
	switch {
	case c.Subject == "" || len(c.Subject) > maxSubject:
		return fmt.Errorf("%w: sub must be 1 to %d bytes", ErrClaims, maxSubject)
	case c.Role != Anchor && c.Role != Viewer && c.Role != Backend && c.Role != Admin:
		return fmt.Errorf("%w: role must be anchor, viewer, backend or admin", ErrClaims)
	case c.ExpiresAt == nil:
		return fmt.Errorf("%w: exp is required", ErrClaims)
	case v.issuer != "" && c.Issuer != v.issuer:
		return fmt.Errorf("%w: iss is another", ErrClaims)
	case v.audience != "" && !slices.Contains(c.Audience, v.audience):
		return fmt.Errorf("%w: aud is another", ErrClaims)
	case !now.Before(c.ExpiresAt.Time):
		return ErrExpired
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time),
		c.IssuedAt != nil && now.Add(leeway).Before(c.IssuedAt.Time):
		return ErrNotYet
	}
	return nil
}

// Mint signs a token with an HS256 secret, for the command line and for tests;
// who.ExpiresAt is not looked at.
func Mint(secret []byte, kid string, who Identity, ttl time.Duration, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: who.Subject, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
		Role: who.Role,
	})
	if kid != "" {
		t.Header["kid"] = kid
	}
	return t.SignedString(secret)
}
