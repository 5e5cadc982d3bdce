package signing

import "crypto/sha1" // a provider's choice, not ours

// sha1Sum is a digest for HMACs alone.
const sha1Sum Algorithm = "sha1"

// appendHMAC appends the HMAC of input, as RFC 2104 has it. That of the standard
// library allocates, and this is done for each entry of a list.
func appendHMAC(dst []byte, a Algorithm, key string, input []byte) []byte {
	const block = 64
	var stack [2*inputSize + block]byte
	var pad, digest [block]byte
	sum := func(dst, input []byte) []byte {
		if a == sha1Sum {
			digest := sha1.Sum(input)
			return append(dst, digest[:]...)
		}
		return a.sum(dst, input)
	}
	if copy(pad[:], key); len(key) > block {
		pad = [block]byte{}
		copy(pad[:], sum(digest[:0], append(stack[:0], key...)))
	}
	keyed := func(with byte, input []byte) []byte {
		b := append(stack[:0], pad[:]...)
		for i := range b {
			b[i] ^= with
		}
		return append(b, input...)
	}
	inner := sum(digest[:0], keyed(0x36, input))
	return sum(dst, keyed(0x5c, inner))
}
