package signing

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// typeASigner makes the signature that many CDNs call type A, in one parameter:
//
//	auth_key = time-rand-uid-digest
//	digest   = MD5(path-time-rand-uid-key), in hex
//
// The path has the file's extension, so each format has its own signature. The time
// is in decimal Unix seconds, to which the provider adds the validity of the domain:
// [SignerConfig].Delta. rand makes URLs different; it is hashed from path and time,
// so that all nodes make the same. uid is 0, as the providers advise. See
// https://help.aliyun.com/zh/vod/user-guide/type-a-signing (Alibaba Cloud),
// https://cloud.tencent.com/document/product/228/41623 (Tencent CDN) and
// https://support.huaweicloud.com/iLive-live/live_01_0049.html (Huawei Cloud).
type typeASigner struct {
	credentials
	parameter string
}

var _ Signer = (*typeASigner)(nil)

// AppendURL implements [Signer].
func (s *typeASigner) AppendURL(dst []byte, res Resource, expiresUnix int64) []byte {
	dst, pathStart, ok := res.appendUnsignedURL(dst)
	if !ok {
		return dst
	}
	var pathStack, prefixStack [inputSize]byte
	key, _ := s.keys()
	path := append(pathStack[:0], dst[pathStart:]...)
	prefix := decimalTime.appendTime(prefixStack[:0], expiresUnix-s.delta)
	prefix = append(prefix, '-')
	prefix = strconv.AppendUint(prefix, mixBits(fnv1a(path)^uint64(expiresUnix)), 36)
	prefix = append(prefix, "-0-"...)
	dst = append(append(append(dst, '?'), s.parameter...), '=')
	return appendTypeADigest(append(dst, prefix...), key, path, prefix)
}

// appendTypeADigest appends the digest of a path and of what stands before the
// digest: "time-rand-uid-".
func appendTypeADigest(dst []byte, key string, path, prefix []byte) []byte {
	var stack [2 * inputSize]byte
	var digest [16]byte
	input := append(append(stack[:0], path...), '-')
	input = append(append(input, prefix...), key...)
	return hex.AppendEncode(dst, MD5.appendDigest(digest[:0], input))
}

// Verify implements [Signer].
func (s *typeASigner) Verify(res Resource, rawQuery string, nowUnix int64) error {
	value := firstValue(rawQuery, s.parameter)
	if value == "" {
		return ErrMissing
	}
	parts := strings.Split(value, "-")
	if len(parts) != 4 || parts[1] == "" || parts[2] == "" {
		return ErrMalformed
	}
	urlTime, ok := decimalTime.parseTime(parts[0])
	if !ok {
		return ErrMalformed
	}
	path, prefix := res.path(), []byte(strings.TrimSuffix(value, parts[3]))
	return s.verifyDigestAndTime(parts[3], func(dst []byte, key string) []byte { return appendTypeADigest(dst, key, path, prefix) }, urlTime, nowUnix)
}
