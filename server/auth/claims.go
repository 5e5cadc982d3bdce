package auth

import (
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSubject bounds a user id, in bytes.
const maxSubject = 128

// leeway is the tolerated difference of clocks for nbf and iat.
const leeway = 30 * time.Second

// claims are the claims of a token that are read.
type claims struct {
	subject, issuer            string
	audience                   []string
	role                       Role
	expires, notBefore, issued *jwt.NumericDate // nil: absent
}

// readClaims returns ErrClaims, with the claim's name, if a claim has the wrong type. It
// compares names exactly: a struct would also accept "Role" for "role".
func readClaims(m jwt.MapClaims) (c claims, err error) {
	var errs [6]error
	c.subject, errs[0] = m.GetSubject()
	c.issuer, errs[1] = m.GetIssuer()
	c.audience, errs[2] = m.GetAudience()
	c.expires, errs[3] = m.GetExpirationTime()
	c.notBefore, errs[4] = m.GetNotBefore()
	c.issued, errs[5] = m.GetIssuedAt()
	for i, want := range []string{
		"sub must be a string", "iss must be a string", "aud must be a string or a list of strings",
		"exp must be a number", "nbf must be a number", "iat must be a number",
	} {
		if errs[i] != nil {
			return claims{}, fmt.Errorf("%w: %s", ErrClaims, want)
		}
	}
	role, _ := m["role"].(string)
	c.role = Role(role)
	return c, nil
}

// validateClaims validates the claims of a token and returns its user.
func (v *Verifier) validateClaims(m jwt.MapClaims, now time.Time) (Identity, error) {
	c, err := readClaims(m)
	switch {
	case err != nil:
		return Identity{}, err
	case c.subject == "" || len(c.subject) > maxSubject:
		return Identity{}, fmt.Errorf("%w: sub must be 1 to %d bytes", ErrClaims, maxSubject)
	case c.role != Anchor && c.role != Viewer && c.role != Backend && c.role != Admin:
		return Identity{}, fmt.Errorf("%w: role must be anchor, viewer, backend or admin", ErrClaims)
	case c.expires == nil:
		return Identity{}, fmt.Errorf("%w: exp must be present", ErrClaims)
	case v.issuer != "" && c.issuer != v.issuer:
		return Identity{}, fmt.Errorf("%w: iss must be the configured issuer", ErrClaims)
	case v.audience != "" && !slices.Contains(c.audience, v.audience):
		return Identity{}, fmt.Errorf("%w: aud must contain the configured audience", ErrClaims)
	case !now.Before(c.expires.Time):
		return Identity{}, ErrExpired
	case c.notBefore != nil && now.Add(leeway).Before(c.notBefore.Time),
		c.issued != nil && now.Add(leeway).Before(c.issued.Time):
		return Identity{}, ErrNotYetValid
	}
	return Identity{Subject: c.subject, Role: c.role, ExpiresAt: c.expires.Time}, nil
}
