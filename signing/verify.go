package signing

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

var (
	// ErrMissing is returned when a query lacks the signature or its time.
	ErrMissing = errors.New("signing: the signature or its time is missing")

	// ErrMalformed is returned when a signature or its time is not of the
	// provider's form, whatever the keys.
	ErrMalformed = errors.New("signing: the signature or its time is malformed")

	// ErrMismatch is returned when none of the keys made the signature for
	// this stream and time.
	ErrMismatch = errors.New("signing: the signature does not match")

	// ErrExpired is returned when one of the keys made the signature, and its
	// time is over.
	ErrExpired = errors.New("signing: the signature has expired")
)

// EndsInHexDigit reports whether code ends in a digit 0-9, a-f or A-F, so that
// its end could be read as the beginning of a txTime.
//
// The digest of key + stream + txTime has no separators: a URL signed for
// stream 8888_alice1 with txTime 579ACB15 carries a digest that is also right
// for stream 8888_alice with txTime 1579ACB15, in the year 2152. Our Verify
// takes eight digits and no more, but the cloud is not known to. An anchor who
// chooses the id alice1 could so push as alice, unless codes end in another
// character.
func EndsInHexDigit(code string) bool {
	return code != "" && isHexDigit(code[len(code)-1])
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Verify implements [Signer] for txSecret and txTime in rawQuery, of which the
// first value each counts; they are hex, so percent signs are malformed.
//
// A txTime must have exactly eight hex digits (see [EndsInHexDigit]), although
// the provider takes decimal ones too. It is hashed as sent, in upper and in
// lower case, since the provider takes either and signers differ. A txSecret
// must have the length of an MD5 or of a SHA-256 digest, and either will do.
// Digests are compared in constant time. The URL has ended once now is at
// txTime + delta.
func (t *Tencent) Verify(res Resource, rawQuery string, now int64) error {
	secret, txTime := firstValue(rawQuery, "txSecret"), firstValue(rawQuery, "txTime")
	if secret == "" || txTime == "" {
		return ErrMissing
	}
	expires, ok := parseTxTime(txTime)
	if !ok {
		return ErrMalformed
	}
	var stack [sha256.Size]byte
	digest, algorithm := decodeDigest(&stack, secret)
	if digest == nil {
		return ErrMalformed
	}
	if !t.made(digest, algorithm, &res, txTime) {
		return ErrMismatch
	}
	if now >= expires+t.delta {
		return ErrExpired
	}
	return nil
}

// firstValue returns the first value of key in a raw query, or nothing.
func firstValue(rawQuery, key string) string {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v
		}
	}
	return ""
}

func parseTxTime(s string) (unix int64, ok bool) {
	if len(s) != txTimeSize {
		return 0, false
	}
	for i := range len(s) {
		if !isHexDigit(s[i]) { // ParseInt would take a sign
			return 0, false
		}
	}
	unix, err := strconv.ParseInt(s, 16, 64)
	return unix, err == nil
}

// decodeDigest decodes a hex digest into buf and tells the algorithm by its
// length. It returns nil when secret is no digest.
func decodeDigest(buf *[sha256.Size]byte, secret string) ([]byte, Algorithm) {
	algorithm := MD5
	switch len(secret) {
	case hex.EncodedLen(md5.Size):
	case hex.EncodedLen(sha256.Size):
		algorithm = SHA256
	default:
		return nil, ""
	}
	var text [2 * sha256.Size]byte
	n, err := hex.Decode(buf[:], text[:copy(text[:], secret)])
	if err != nil {
		return nil, ""
	}
	return buf[:n], algorithm
}

// made reports whether one of the keys made digest for stream and txTime, in
// any of its three spellings. It tries them all, whichever matches.
func (t *Tencent) made(digest []byte, algorithm Algorithm, res *Resource, txTime string) bool {
	var stack [inputSize]byte
	var scratch [sha256.Size]byte
	key, backup := t.keys()
	matches := 0
	for _, key := range [...]string{key, backup} {
		if key == "" {
			continue
		}
		input := res.appendName(append(stack[:0], key...))
		for _, spelling := range spellings(txTime) {
			sum := algorithm.sum(scratch[:0], append(input, spelling[:]...))
			matches |= subtle.ConstantTimeCompare(sum, digest)
		}
	}
	return matches == 1
}

// spellings returns txTime as sent, in upper and in lower case.
func spellings(txTime string) [3][txTimeSize]byte {
	var as, upper, lower [txTimeSize]byte
	for i := range txTimeSize {
		c := txTime[i]
		as[i], upper[i], lower[i] = c, c, c
		if c >= 'A' {
			upper[i], lower[i] = c&^0x20, c|0x20
		}
	}
	return [...][txTimeSize]byte{as, upper, lower}
}
