package signing

import (
	"crypto/md5" // the provider's choice, not ours
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Algorithm is the digest of a signature.
type Algorithm string

// The digests that Tencent Cloud Live offers.
const (
	MD5    Algorithm = "md5"
	SHA256 Algorithm = "sha256"
)

// sum appends the digest of input, in binary. MD5 stands for every other value.
func (a Algorithm) sum(dst, input []byte) []byte {
	if a == SHA256 {
		digest := sha256.Sum256(input)
		return append(dst, digest[:]...)
	}
	digest := md5.Sum(input)
	return append(dst, digest[:]...)
}

// TencentConfig is what a domain's authentication is set to in the console. Push
// and play domains have different keys. Algorithm signs; verification takes both,
// told apart by the digest's length, as the provider does. With a Delta lower than
// the domain's, URLs outlive what was promised; with a higher one they end early.
type TencentConfig = Keys

// Tencent signs the URLs of Tencent Cloud Live:
//
//	txSecret = lower-case hex of MD5 or SHA-256 (key + stream + txTime)
//	txTime   = eight upper-case hex digits of Unix seconds
//
// It is a plain concatenation. The stream is the bare name with the suffix of
// its template, without domain, app or file ending, so that RTMP, FLV, HLS and
// WebRTC of one stream have one secret. See
// https://cloud.tencent.com/document/product/267/32735 for the formula, and
// https://cloud.tencent.com/document/product/267/32720 for the forms of URLs.
type Tencent struct {
	// Static after construction.
	keys      func() (key, backup string) // a function: nothing that prints values looks into one
	algorithm Algorithm
	delta     int64 // seconds
}

var _ Signer = (*Tencent)(nil)

// NewTencent returns the signer of one domain's keys.
func NewTencent(c TencentConfig) (*Tencent, error) {
	switch {
	case c.Key == "":
		return nil, errors.New("signing: tencent: there is no key")
	case c.Algorithm != "" && c.Algorithm != MD5 && c.Algorithm != SHA256:
		return nil, fmt.Errorf("signing: tencent: algorithm %q is neither md5 nor sha256", c.Algorithm)
	case c.Delta < 0 || c.Delta%time.Second != 0:
		return nil, fmt.Errorf("signing: tencent: delta %v must be whole seconds, zero or more", c.Delta)
	}
	return &Tencent{
		keys:      func() (key, backup string) { return c.Key, c.BackupKey },
		algorithm: c.Algorithm,
		delta:     int64(c.Delta / time.Second),
	}, nil
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
// An expiry outside of what eight digits can say (from 1970 to February 2106)
// is moved to the nearer end.
func (t *Tencent) AppendURL(dst []byte, res Resource, expires int64) []byte {
	if res.Protocol == SRT {
		return t.appendSRT(dst, res, expires)
	}
	scheme, ending := res.form()
	if res.Protocol == WebRTC {
		scheme = "webrtc"
	}
	if scheme == "" {
		return dst
	}
	dst = res.appendPath(res.appendOrigin(dst, scheme), ending)
	return t.appendSecret(append(dst, '?'), &res, expires, '&')
}

// appendSRT appends the URL to push over SRT. Its '#' is literal, so no URL
// library can make or parse it. Port 9000 is fixed: a domain that names a port
// is no push domain of this cloud.
func (t *Tencent) appendSRT(dst []byte, res Resource, expires int64) []byte {
	if !res.Push || strings.Contains(res.Domain, ":") {
		return dst
	}
	dst = append(append(dst, "srt://"...), res.Domain...)
	dst = append(append(dst, ":9000?streamid=#!::h="...), res.Domain...)
	dst = append(append(dst, ",r="...), res.App...)
	dst = append(res.appendName(append(dst, '/')), ',')
	return t.appendSecret(dst, &res, expires, ',')
}

// appendSecret appends txSecret and txTime, with sep between them.
func (t *Tencent) appendSecret(dst []byte, res *Resource, expires int64, sep byte) []byte {
	var stack [inputSize]byte
	var digest [sha256.Size]byte
	key, _ := t.keys()
	input := res.appendName(append(stack[:0], key...))
	input = appendTxTime(input, expires-t.delta)
	txTime := input[len(input)-txTimeSize:]

	dst = append(dst, "txSecret="...)
	dst = hex.AppendEncode(dst, t.algorithm.sum(digest[:0], input))
	dst = append(append(dst, sep), "txTime="...)
	return append(dst, txTime...)
}

const (
	// inputSize is room on the stack for key, stream and txTime; what is longer
	// goes to the heap. A live code is at most 128 bytes, a key usually 32.
	inputSize = 256

	txTimeSize = 8
	maxTxTime  = 1<<(4*txTimeSize) - 1
)

// appendTxTime appends Unix seconds as exactly eight upper-case hex digits.
func appendTxTime(dst []byte, unix int64) []byte {
	const digits = "0123456789ABCDEF"
	unix = min(max(unix, 0), maxTxTime)
	for shift := 4 * (txTimeSize - 1); shift >= 0; shift -= 4 {
		dst = append(dst, digits[unix>>shift&0xF])
	}
	return dst
}
