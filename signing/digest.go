package signing

import (
	"crypto/hmac"
	"crypto/md5" // a provider's choice, not ours
	"crypto/sha256"
	"hash"
	"sync"
)

// Algorithm is the digest of a signature.
type Algorithm string

// The digests that Tencent Cloud Live offers.
const (
	MD5    Algorithm = "md5"
	SHA256 Algorithm = "sha256"
)

// inputSize is room on the stack for the text that is hashed: key, stream and
// time. Longer texts go to the heap. A live code is at most 128 bytes, a key
// usually 32.
const inputSize = 256

// appendDigest appends the binary digest of input. Every value but SHA256 is MD5.
func (a Algorithm) appendDigest(dst, input []byte) []byte {
	if a == SHA256 {
		digest := sha256.Sum256(input)
		return append(dst, digest[:]...)
	}
	digest := md5.Sum(input)
	return append(dst, digest[:]...)
}

// hmacPool computes HMACs under one key without allocating, in states that it
// reuses: list entries are signed by the thousand. It has at most as many states as
// goroutines have used it at once.
type hmacPool struct {
	newHash func() hash.Hash
	key     func() string // a function: no fmt verb prints its result

	mu   sync.Mutex
	idle []*hmacState
}

// hmacState includes the input and the result: they would escape to the heap
// through the interface of the hash.
type hmacState struct {
	mac           hash.Hash
	input, digest []byte
}

func newHMACPool(newHash func() hash.Hash, key string) *hmacPool {
	return &hmacPool{newHash: newHash, key: func() string { return key }}
}

// appendHMAC appends the binary HMAC of input.
func (p *hmacPool) appendHMAC(dst, input []byte) []byte {
	s := p.popOrNewState()
	s.mac.Reset()
	s.input = append(s.input[:0], input...)
	s.mac.Write(s.input)
	s.digest = s.mac.Sum(s.digest[:0])
	dst = append(dst, s.digest...)
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
	return dst
}

func (p *hmacPool) popOrNewState() *hmacState {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return &hmacState{mac: hmac.New(p.newHash, []byte(p.key()))}
	}
	s := p.idle[last]
	p.idle = p.idle[:last]
	return s
}
