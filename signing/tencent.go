package signing

import (
	"crypto/md5" // the provider's choice, not ours
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// TencentSigner signs the URLs of Tencent Cloud Live:
//
//	txSecret = lower-case hex of MD5 or SHA-256 (key + stream + txTime)
//	txTime   = eight upper-case hex digits of Unix seconds
//
// It is a plain concatenation. The stream is the bare name with the suffix of
// its template, without domain, app or extension, so that RTMP, FLV, HLS and
// WebRTC of one stream have one secret. See
// https://cloud.tencent.com/document/product/267/32735 for the formula, and
// https://cloud.tencent.com/document/product/267/32720 for the forms of URLs.
// Push and play domains have different keys.
type TencentSigner struct {
	// Static after construction.
	credentials
	algorithm Algorithm
}

var _ Signer = (*TencentSigner)(nil)

// NewTencentSigner returns the signer of one domain's keys. It returns an error
// when the configuration is invalid.
func NewTencentSigner(c SignerConfig) (*TencentSigner, error) {
	if c.Algorithm != "" && c.Algorithm != MD5 && c.Algorithm != SHA256 {
		return nil, fmt.Errorf("signing: invalid algorithm %q: must be md5 or sha256", c.Algorithm)
	}
	credentials, err := newCredentials(c)
	if err != nil {
		return nil, err
	}
	return &TencentSigner{credentials, c.Algorithm}, nil
}

// AppendURL implements [Signer]. The forms are, to push,
//
//	rtmp://domain/app/stream?txSecret=…&txTime=…
//	webrtc://domain/app/stream?txSecret=…&txTime=…
//	srt://domain:9000?streamid=#!::h=domain,r=app/stream,txSecret=…,txTime=…
//
// and to play the first two,
//
//	https://domain/app/stream.flv?txSecret=…&txTime=…
//	https://domain/app/stream.m3u8?txSecret=…&txTime=…
//
// Eight digits reach from 1970 to February 2106.
func (s *TencentSigner) AppendURL(dst []byte, res Resource, expiresUnix int64) []byte {
	if res.Protocol == SRT {
		return s.appendSRTURL(dst, res, expiresUnix)
	}
	scheme, extension := res.schemeAndExtension()
	if res.Protocol == WebRTC {
		scheme = "webrtc"
	}
	if scheme == "" {
		return dst
	}
	dst = res.appendPath(res.appendOrigin(dst, scheme), extension)
	return s.appendSignature(append(dst, '?'), &res, expiresUnix, '&')
}

// appendSRTURL appends the URL to push over SRT. Its '#' is literal, so no URL
// library can make or parse it. Port 9000 is fixed: a domain that names a port
// is no push domain of this cloud.
func (s *TencentSigner) appendSRTURL(dst []byte, res Resource, expiresUnix int64) []byte {
	if !res.Push || strings.Contains(res.Domain, ":") {
		return dst
	}
	dst = append(append(dst, "srt://"...), res.Domain...)
	dst = append(append(dst, ":9000?streamid=#!::h="...), res.Domain...)
	dst = append(append(dst, ",r="...), res.App...)
	dst = append(res.appendStreamName(append(dst, '/')), ',')
	return s.appendSignature(dst, &res, expiresUnix, ',')
}

// appendSignature appends txSecret and txTime.
func (s *TencentSigner) appendSignature(dst []byte, res *Resource, expiresUnix int64, separator byte) []byte {
	var stack [inputSize]byte
	var digest [sha256.Size]byte
	key, _ := s.keys()
	input := res.appendStreamName(append(stack[:0], key...))
	input = upperHexTime.appendTime(input, expiresUnix-s.delta)
	txTime := input[len(input)-hexTimeSize:]

	dst = append(dst, "txSecret="...)
	dst = hex.AppendEncode(dst, s.algorithm.appendDigest(digest[:0], input))
	dst = append(append(dst, separator), "txTime="...)
	return append(dst, txTime...)
}

// EndsInHexDigit reports whether code ends in a digit 0-9, a-f or A-F, so that
// its end could be read as the beginning of a txTime.
//
// The digest of key + stream + txTime has no separators: a URL signed for
// stream 8888_alice1 with txTime 579ACB15 carries a digest that is also right
// for stream 8888_alice with txTime 1579ACB15, in the year 2152. Our Verify
// accepts eight digits only, but whether the cloud does is not known. An anchor
// with the id alice1 could then push as alice, unless codes end in another
// character.
func EndsInHexDigit(code string) bool {
	return strings.TrimRight(code, hexDigits) != code
}

// Verify implements [Signer] for txSecret and txTime in rawQuery. The first value
// of each counts. They are hexadecimal, so percent signs are malformed.
//
// A txTime must have exactly eight hexadecimal digits (see [EndsInHexDigit]),
// although the provider accepts decimal ones too. It is hashed as sent, in upper
// and in lower case, since the provider accepts either and signers differ. A
// txSecret may be an MD5 or a SHA-256 digest, whatever the configured algorithm.
// Digests are compared in constant time.
func (s *TencentSigner) Verify(res Resource, rawQuery string, nowUnix int64) error {
	txSecret, txTime := firstValue(rawQuery, "txSecret"), firstValue(rawQuery, "txTime")
	if txSecret == "" || txTime == "" {
		return ErrMissing
	}
	urlTime, ok := parseHexTime(txTime)
	if !ok {
		return ErrMalformed
	}
	var buf [sha256.Size]byte
	digest, algorithm := decodeDigest(&buf, txSecret)
	switch {
	case digest == nil:
		return ErrMalformed
	case !s.matchesAnyKey(digest, algorithm, &res, txTime):
		return ErrMismatch
	case nowUnix >= urlTime+s.delta:
		return ErrExpired
	}
	return nil
}

// decodeDigest decodes a hexadecimal digest into buf. Its length shows the
// algorithm. The result is nil if text is no digest.
func decodeDigest(buf *[sha256.Size]byte, text string) (digest []byte, algorithm Algorithm) {
	switch len(text) {
	case hex.EncodedLen(md5.Size):
		algorithm = MD5
	case hex.EncodedLen(sha256.Size):
		algorithm = SHA256
	default:
		return nil, ""
	}
	var encoded [2 * sha256.Size]byte
	n, err := hex.Decode(buf[:], encoded[:copy(encoded[:], text)])
	if err != nil {
		return nil, ""
	}
	return buf[:n], algorithm
}

// matchesAnyKey reports whether one of the keys made digest for stream and txTime,
// in any of its three spellings. It always tries all of them.
func (s *TencentSigner) matchesAnyKey(digest []byte, algorithm Algorithm, res *Resource, txTime string) bool {
	var stack [inputSize]byte
	var buf [sha256.Size]byte
	key, backupKey := s.keys()
	matches := 0
	for _, key := range [...]string{key, backupKey} {
		if key == "" {
			continue
		}
		input := res.appendStreamName(append(stack[:0], key...))
		for _, spelling := range caseSpellings(txTime) {
			expected := algorithm.appendDigest(buf[:0], append(input, spelling[:]...))
			matches |= subtle.ConstantTimeCompare(expected, digest)
		}
	}
	return matches == 1
}

// caseSpellings returns txTime as sent, in upper and in lower case.
func caseSpellings(txTime string) [3][hexTimeSize]byte {
	var sent, upper, lower [hexTimeSize]byte
	for i := range hexTimeSize {
		c := txTime[i]
		sent[i], upper[i], lower[i] = c, c, c
		if c >= 'A' {
			upper[i], lower[i] = c&^0x20, c|0x20
		}
	}
	return [...][hexTimeSize]byte{sent, upper, lower}
}
