package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// verificationKey checks tokens of one algorithm and key id.
type verificationKey struct {
	alg string
	kid string
	key any
}

// selectKey finds the key for a token. A token with a key id is checked by the
// key of that id alone; one without by the only configured key of its
// algorithm. Nothing else in the header counts, but for what it says must be
// understood (crit), which is not.
func (v *Verifier) selectKey(ctx context.Context, t *jwt.Token) (any, error) {
	header, named := t.Header["kid"]
	kid, _ := header.(string)
	if _, critical := t.Header["crit"]; critical || named && kid == "" {
		return nil, ErrNoMatchingKey
	}
	var fit []any
	for _, k := range v.configuredKeys {
		if k.alg == t.Method.Alg() && (!named || k.kid == kid) {
			fit = append(fit, k.key)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0 && named && v.jwks != nil:
		return v.jwks.publicKey(ctx, kid, t.Method.Alg())
	}
	return nil, ErrNoMatchingKey
}

// matchesAlgorithm reports whether a key is of the kind that the algorithm needs: a JWK
// need not say which algorithm it is for.
func matchesAlgorithm(alg string, k any) bool {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return alg == "RS256"
	case *ecdsa.PublicKey:
		return alg == "ES256" && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// parsePublicKey reads a PEM key; its kind decides the algorithm.
func parsePublicKey(text string) (verificationKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return verificationKey{}, errors.New("it is no PEM block")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return verificationKey{}, fmt.Errorf("it is no public key: %w", err)
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		if matchesAlgorithm(alg, k) {
			return verificationKey{alg: alg, key: k}, nil
		}
	}
	return verificationKey{}, errors.New("it is neither RSA, P-256 nor Ed25519")
}
