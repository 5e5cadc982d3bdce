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

// verificationKey verifies tokens of one algorithm and key id.
type verificationKey struct {
	alg string
	kid string
	key any
}

// maxCandidates bounds the keys that a token without a key id is verified with, and so what a
// forged token costs.
const maxCandidates = 16

// candidateKeys returns the keys that may have signed a token: with a key id the keys of that
// id, otherwise the first maxCandidates keys of its algorithm. It ignores all other header
// members, but rejects critical extensions (crit), which it does not implement.
// ErrNoMatchingKey is returned when there is no such key.
func (v *Verifier) candidateKeys(ctx context.Context, t *jwt.Token) (jwt.VerificationKeySet, error) {
	header, hasKID := t.Header["kid"]
	kid, _ := header.(string)
	if _, critical := t.Header["crit"]; critical || hasKID && kid == "" {
		return jwt.VerificationKeySet{}, ErrNoMatchingKey
	}
	var keys []jwt.VerificationKey
	for _, k := range v.configuredKeys {
		if k.alg == t.Method.Alg() && (!hasKID || k.kid == kid) {
			keys = append(keys, k.key)
		}
	}
	if v.jwks != nil && (!hasKID || len(keys) == 0) {
		keys = append(keys, v.publicKeysOfJWKS(kid, t.Method.Alg())...)
	}
	if v.jwks != nil && len(keys) == 0 {
		v.refreshJWKSFor(ctx, kid)
		keys = v.publicKeysOfJWKS(kid, t.Method.Alg())
	}
	if len(keys) == 0 {
		return jwt.VerificationKeySet{}, ErrNoMatchingKey
	}
	return jwt.VerificationKeySet{Keys: keys[:min(len(keys), maxCandidates)]}, nil
}

// keyMatchesAlgorithm reports whether a key has the type that the algorithm needs. A JWK
// need not name its algorithm.
func keyMatchesAlgorithm(alg string, publicKey any) bool {
	switch k := publicKey.(type) {
	case *rsa.PublicKey:
		return alg == "RS256"
	case *ecdsa.PublicKey:
		return alg == "ES256" && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// parsePublicKey parses a PEM key. Its type determines the algorithm.
func parsePublicKey(text string) (verificationKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return verificationKey{}, errors.New("must be a PEM block")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return verificationKey{}, fmt.Errorf("must be a public key: %w", err)
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		if keyMatchesAlgorithm(alg, k) {
			return verificationKey{alg: alg, key: k}, nil
		}
	}
	return verificationKey{}, errors.New("must be an RSA, P-256 or Ed25519 key")
}
