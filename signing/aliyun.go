package signing

import (
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// typeA is the signature that many CDNs call type A, in one parameter:
//
//	auth_key = time-rand-uid-digest
//	digest   = MD5(path-time-rand-uid-key), in hex
//
// The path has the file's ending, so that each format has its own. The time is in
// decimal Unix seconds, to which the provider adds the validity of the domain:
// [Keys].Delta. rand, which is to make URLs different, is hashed from path and time,
// so that all nodes make the same; uid is 0, as the providers advise. See
// https://help.aliyun.com/zh/vod/user-guide/type-a-signing (Alibaba Cloud),
// https://cloud.tencent.com/document/product/228/41623 (Tencent CDN) and
// https://support.huaweicloud.com/iLive-live/live_01_0049.html (Huawei Cloud).
type typeA struct {
	keys      func() (key, backup string)
	delta     int64
	parameter string
}

var _ Signer = (*typeA)(nil)

func newTypeA(parameter string, k Keys) (*typeA, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	return &typeA{func() (string, string) { return k.Key, k.BackupKey }, int64(k.Delta / time.Second), parameter}, nil
}

// AppendURL implements [Signer].
func (a *typeA) AppendURL(dst []byte, res Resource, expires int64) []byte {
	dst, at, ok := res.appendAddress(dst)
	if !ok {
		return dst
	}
	var stack, scratch [inputSize]byte
	key, _ := a.keys()
	path := append(stack[:0], dst[at:]...)
	given := appendDecimal(scratch[:0], expires-a.delta)
	given = append(given, '-')
	given = strconv.AppendUint(given, mix(hashOf(path)^uint64(expires)), 36)
	given = append(given, "-0-"...)
	dst = append(append(append(dst, '?'), a.parameter...), '=')
	return a.appendDigest(append(dst, given...), key, path, given)
}

// appendDigest appends the digest of a path and of what is given before it.
func (a *typeA) appendDigest(dst []byte, key string, path, given []byte) []byte {
	var stack [2 * inputSize]byte
	var digest [16]byte
	input := append(append(stack[:0], path...), '-')
	input = append(append(input, given...), key...)
	return hex.AppendEncode(dst, MD5.sum(digest[:0], input))
}

// Verify implements [Signer].
func (a *typeA) Verify(res Resource, given string, now int64) error {
	value := firstValue(given, a.parameter)
	if value == "" {
		return ErrMissing
	}
	end := strings.LastIndexByte(value, '-') + 1
	parts := strings.Split(value, "-")
	if len(parts) != 4 || parts[1] == "" || parts[2] == "" {
		return ErrMalformed
	}
	ends, ok := parseDecimal(parts[0])
	if !ok {
		return ErrMalformed
	}
	_, path, _ := res.place()
	key, backup := a.keys()
	matches := 0
	for _, key := range [...]string{key, backup} {
		if key != "" {
			matches |= subtle.ConstantTimeCompare(a.appendDigest(nil, key, path, []byte(value[:end])), []byte(parts[3]))
		}
	}
	switch {
	case matches == 0:
		return ErrMismatch
	case now >= ends+a.delta:
		return ErrExpired
	}
	return nil
}

// inPath is the signature that many CDNs call type B or C, in the path, so that only
// HTTP has it:
//
//	B: /time/digest/path, digest = MD5(key + time + path), the time YYYYMMDDHHMM in UTC+8
//	C: /digest/time/path, digest = MD5(key + path + time), the time in lower-case hexadecimal Unix seconds
//
// See https://help.aliyun.com/document_detail/85114.html and …/85115.html, and
// https://cloud.tencent.com/document/product/228/41623.
type inPath struct {
	keys  func() (key, backup string)
	delta int64
	c     bool
}

var _ Signer = (*inPath)(nil)

func newInPath(c bool, k Keys) (*inPath, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	return &inPath{func() (string, string) { return k.Key, k.BackupKey }, int64(k.Delta / time.Second), c}, nil
}

// china is UTC+8, which type B's times are in.
var china = time.FixedZone("", 8*60*60)

const minutes = "200601021504"

func (s *inPath) appendTime(dst []byte, unix int64) []byte {
	if s.c {
		return appendLowerHex(dst, unix)
	}
	return time.Unix(unix, 0).In(china).AppendFormat(dst, minutes)
}

func (s *inPath) parseTime(text string) (unix int64, ok bool) {
	if s.c {
		return parseLowerHex(text)
	}
	at, err := time.ParseInLocation(minutes, text, china)
	return at.Unix(), err == nil && len(text) == len(minutes)
}

func (s *inPath) appendDigest(dst []byte, key string, path, when []byte) []byte {
	var stack [2 * inputSize]byte
	var digest [16]byte
	input := append(stack[:0], key...)
	if s.c {
		input = append(append(input, path...), when...)
	} else {
		input = append(append(input, when...), path...)
	}
	return hex.AppendEncode(dst, MD5.sum(digest[:0], input))
}

// AppendURL implements [Signer], for FLV and HLS. A URL of type B ends up to a
// minute early: that is as exact as its time is.
func (s *inPath) AppendURL(dst []byte, res Resource, expires int64) []byte {
	scheme, ending := res.form()
	if scheme == "" || res.Protocol == RTMP {
		return dst
	}
	var stack [inputSize]byte
	var moment [32]byte
	key, _ := s.keys()
	path := res.appendPath(stack[:0], ending)
	when := s.appendTime(moment[:0], expires-s.delta)
	dst = append(res.appendOrigin(dst, scheme), '/')
	if s.c {
		dst = append(append(s.appendDigest(dst, key, path, when), '/'), when...)
	} else {
		dst = s.appendDigest(append(append(dst, when...), '/'), key, path, when)
	}
	return append(dst, path...)
}

// Verify implements [Signer]: given is the path.
func (s *inPath) Verify(res Resource, given string, now int64) error {
	parts := strings.SplitN(strings.TrimPrefix(given, "/"), "/", 3)
	if len(parts) != 3 {
		return ErrMissing
	}
	when, digest := parts[0], parts[1]
	if s.c {
		when, digest = digest, when
	}
	ends, ok := s.parseTime(when)
	if !ok {
		return ErrMalformed
	}
	_, path, _ := res.place()
	if parts[2] != string(path[1:]) {
		return ErrMismatch
	}
	key, backup := s.keys()
	matches := 0
	for _, key := range [...]string{key, backup} {
		if key != "" {
			matches |= subtle.ConstantTimeCompare(s.appendDigest(nil, key, path, []byte(when)), []byte(digest))
		}
	}
	switch {
	case matches == 0:
		return ErrMismatch
	case now >= ends+s.delta:
		return ErrExpired
	}
	return nil
}
