package signing

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Signer makes and verifies the signed URLs of one provider. Its results depend
// on its keys, the arguments and the time alone. It is safe for concurrent use.
type Signer interface {
	// AppendURL appends the signed URL of res that is valid until expiresUnix
	// (Unix seconds). It appends nothing where the provider has no such URL,
	// for example to play over SRT.
	AppendURL(dst []byte, res Resource, expiresUnix int64) []byte

	// Verify returns nil if the signature in queryOrPath permits a push or a play
	// of res at nowUnix (Unix seconds); else ErrMissing, ErrMalformed, ErrMismatch
	// or ErrExpired. queryOrPath is the raw query without its '?', or the whole
	// path for providers that sign in the path. Of res it needs App, Stream,
	// TemplateSuffix, and the Protocol as far as it is known.
	Verify(res Resource, queryOrPath string, nowUnix int64) error
}

var (
	// ErrMissing is returned when the signature or its time is missing.
	ErrMissing = errors.New("signing: the signature or its time is missing")

	// ErrMalformed is returned when a signature or its time does not have the
	// provider's form, whatever the keys.
	ErrMalformed = errors.New("signing: the signature or its time is malformed")

	// ErrMismatch is returned when none of the keys made the signature for
	// this stream and time.
	ErrMismatch = errors.New("signing: the signature does not match")

	// ErrExpired is returned when one of the keys made the signature, and its
	// time is over.
	ErrExpired = errors.New("signing: the signature has expired")
)

// SignerConfig is the authentication of one domain, as its provider's console has
// it. It holds secrets: never log it.
type SignerConfig struct {
	Key       string // signs and verifies
	BackupKey string // only verifies; empty: none

	// Algorithm is for Tencent Live, the only provider that offers a choice.
	// Empty is MD5.
	Algorithm Algorithm

	// Delta is the validity that the provider adds to the time in a URL, in whole
	// seconds. It is subtracted from the printed time, so that a URL expires when
	// it should. If it is lower than the domain's, URLs live too long; if it is
	// higher, they expire early.
	Delta time.Duration
}

// credentials are the keys of a signer, and the delta of its times.
type credentials struct {
	keys  func() (key, backupKey string) // a function: no fmt verb prints its result
	delta int64                          // in seconds
}

func newCredentials(c SignerConfig) (credentials, error) {
	switch {
	case c.Key == "":
		return credentials{}, errors.New("signing: the key is empty")
	case c.Delta < 0 || c.Delta%time.Second != 0:
		return credentials{}, fmt.Errorf("signing: invalid delta %v: must be whole seconds, zero or more", c.Delta)
	}
	return credentials{func() (key, backupKey string) { return c.Key, c.BackupKey }, int64(c.Delta / time.Second)}, nil
}

// verifyDigestAndTime compares the text of a digest with the one that appendDigest
// makes with each key, in constant time, and then checks the time of the URL. Times
// are Unix seconds.
func (c *credentials) verifyDigestAndTime(digest string, appendDigest func(dst []byte, key string) []byte, urlTimeUnix, nowUnix int64) error {
	key, backupKey := c.keys()
	matches := subtle.ConstantTimeCompare(appendDigest(nil, key), []byte(digest))
	if backupKey != "" {
		matches |= subtle.ConstantTimeCompare(appendDigest(nil, backupKey), []byte(digest))
	}
	switch {
	case matches == 0:
		return ErrMismatch
	case nowUnix >= urlTimeUnix+c.delta:
		return ErrExpired
	}
	return nil
}

// firstValue returns the first value of a parameter in a raw query, or "".
func firstValue(rawQuery, parameter string) string {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); name == parameter {
			return value
		}
	}
	return ""
}

// validateOrigin checks the signer of a domain, and what stands before the stream
// in all its URLs.
func validateOrigin(s Signer, domain, app string) error {
	switch {
	case s == nil:
		return fmt.Errorf("signing: domain %q has no signer", domain)
	case !IsDomain(domain):
		return fmt.Errorf("signing: invalid domain %q", domain)
	case !IsName(app):
		return fmt.Errorf("signing: invalid app %q: must consist of A-Z a-z 0-9 _ -", app)
	}
	return nil
}

// IsName reports whether a text can be part of a live code and of a path: it consists of
// A-Z a-z 0-9 _ -, and is not empty.
func IsName(text string) bool { return text != "" && !strings.ContainsFunc(text, isNotInName) }

func isNotInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}

// IsDomain reports whether a text can be the host of a URL, with an optional port.
func IsDomain(text string) bool { return text != "" && !strings.ContainsFunc(text, isNotInDomain) }

func isNotInDomain(r rune) bool {
	return isNotInName(r) && r != '.' && r != ':' && r != '[' && r != ']'
}
