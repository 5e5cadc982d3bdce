package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// publicJWK has the members of a JWK that verification needs (RFC 7517, 7518 and 8037).
// Certificates and their thumbprints are not among them: tokens are verified with keys alone.
type publicJWK struct {
	KTY    jwkset.KTY `json:"kty"`
	USE    jwkset.USE `json:"use,omitempty"`
	KEYOPS []string   `json:"key_ops,omitempty"`
	ALG    jwkset.ALG `json:"alg,omitempty"`
	KID    string     `json:"kid,omitempty"`
	CRV    jwkset.CRV `json:"crv,omitempty"`
	X      string     `json:"x,omitempty"`
	Y      string     `json:"y,omitempty"`
	N      string     `json:"n,omitempty"`
	E      string     `json:"e,omitempty"`
}

// errOtherUse is the reason to leave out a key that is not for signatures.
var errOtherUse = errors.New("is not for signatures")

// usableKeys returns a JWK set with the keys of a set that can verify tokens, and an error for
// each other key, which names it. Keys for encryption are left out without an error. A set
// without keys is valid: all were removed. An error is returned when the text is no JWK set.
func usableKeys(text []byte) (usable []byte, unusable []error, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("must be a JWK set: %w", err)
	}
	if set.Keys == nil { // for example an error in JSON
		return nil, nil, errors.New("must be a JWK set: the member keys is missing")
	}
	kept := []jwkset.JWKMarshal{}
	for i, member := range set.Keys {
		var key publicJWK
		if err := json.Unmarshal(member, &key); err != nil {
			unusable = append(unusable, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		jwk, err := key.verificationKey()
		switch {
		case err == nil:
			kept = append(kept, jwk)
		case !errors.Is(err, errOtherUse):
			unusable = append(unusable, fmt.Errorf("key %d, kid %q: %w", i+1, key.KID, err))
		}
	}
	usable, err = json.Marshal(jwkset.JWKSMarshal{Keys: kept})
	return usable, unusable, err
}

// verificationKey returns the key with the members that verification needs. errOtherUse is
// returned when it is for encryption; another error when it cannot verify tokens.
func (k *publicJWK) verificationKey() (jwkset.JWKMarshal, error) {
	jwk := jwkset.JWKMarshal{KTY: k.KTY, ALG: k.ALG, KID: k.KID, CRV: k.CRV, X: k.X, Y: k.Y, N: k.N, E: k.E}
	switch {
	case k.USE == jwkset.UseEnc, len(k.KEYOPS) > 0 && !slices.Contains(k.KEYOPS, string(jwkset.KeyOpsVerify)):
		return jwk, errOtherUse
	case k.USE != "" && k.USE != jwkset.UseSig:
		return jwk, fmt.Errorf("use %q is unknown", k.USE)
	}
	parsed, err := jwkset.NewJWKFromMarshal(jwk, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwk, err
	}
	for _, alg := range algorithms {
		if (k.ALG == "" || k.ALG == jwkset.ALG(alg)) && keyMatchesAlgorithm(alg, parsed.Key()) {
			return jwk, nil
		}
	}
	return jwk, fmt.Errorf("kty %q, crv %q, alg %q: must be for RS256, ES256 or EdDSA", k.KTY, k.CRV, k.ALG)
}
