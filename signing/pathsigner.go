package signing

import (
	"encoding/hex"
	"strings"
)

// pathSigner makes the signatures that many CDNs call types B and C. They stand in
// the path, so only HTTP has them:
//
//	B: /time/digest/path, digest = MD5(key + time + path), the time YYYYMMDDHHMM in UTC+8
//	C: /digest/time/path, digest = MD5(key + path + time), the time in lower-case hexadecimal Unix seconds
//
// See https://help.aliyun.com/document_detail/85114.html and …/85115.html, and
// https://cloud.tencent.com/document/product/228/41623.
type pathSigner struct {
	credentials
	isTypeC bool
	format  timeFormat
}

var _ Signer = (*pathSigner)(nil)

func newTypeBSigner(c credentials) Signer { return &pathSigner{c, false, minuteTime} }
func newTypeCSigner(c credentials) Signer { return &pathSigner{c, true, lowerHexTime} }

func (s *pathSigner) appendHexDigest(dst []byte, key string, path, timeText []byte) []byte {
	var stack [2 * inputSize]byte
	var digest [16]byte
	input := append(stack[:0], key...)
	if s.isTypeC {
		input = append(append(input, path...), timeText...)
	} else {
		input = append(append(input, timeText...), path...)
	}
	return hex.AppendEncode(dst, MD5.appendDigest(digest[:0], input))
}

// AppendURL implements [Signer], for FLV and HLS. A URL of type B expires up to a
// minute early: its time has whole minutes.
func (s *pathSigner) AppendURL(dst []byte, res Resource, expiresUnix int64) []byte {
	scheme, extension := res.schemeAndExtension()
	if scheme == "" || res.Protocol == RTMP {
		return dst
	}
	var pathStack [inputSize]byte
	var timeStack [32]byte
	key, _ := s.keys()
	path := res.appendPath(pathStack[:0], extension)
	timeText := s.format.appendTime(timeStack[:0], expiresUnix-s.delta)
	dst = append(res.appendOrigin(dst, scheme), '/')
	if s.isTypeC {
		dst = append(append(s.appendHexDigest(dst, key, path, timeText), '/'), timeText...)
	} else {
		dst = s.appendHexDigest(append(append(dst, timeText...), '/'), key, path, timeText)
	}
	return append(dst, path...)
}

// Verify implements [Signer]: it reads the signature from the path.
func (s *pathSigner) Verify(res Resource, urlPath string, nowUnix int64) error {
	parts := strings.SplitN(strings.TrimPrefix(urlPath, "/"), "/", 3)
	if len(parts) != 3 {
		return ErrMissing
	}
	timeText, digest := parts[0], parts[1]
	if s.isTypeC {
		timeText, digest = digest, timeText
	}
	urlTime, ok := s.format.parseTime(timeText)
	if !ok {
		return ErrMalformed
	}
	path := res.path()
	if parts[2] != string(path[1:]) {
		return ErrMismatch
	}
	return s.verifyDigestAndTime(digest, func(dst []byte, key string) []byte { return s.appendHexDigest(dst, key, path, []byte(timeText)) }, urlTime, nowUnix)
}
