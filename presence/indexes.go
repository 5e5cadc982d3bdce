package presence

import "math/bits"

// indexes hands out the smallest free index. Which one is next is a function
// of those in use alone, so that a node which started from a snapshot gives
// out the same ones.
type indexes struct {
	used []uint64 // bit set: in use
	hint int      // no word before this one has a free bit
}

// get takes the smallest free index.
func (x *indexes) get() uint32 {
	for ; x.hint < len(x.used); x.hint++ {
		if w := x.used[x.hint]; w != ^uint64(0) {
			i := bits.TrailingZeros64(^w)
			x.used[x.hint] |= 1 << i
			return uint32(x.hint*64 + i)
		}
	}
	x.used = append(x.used, 1)
	return uint32(x.hint * 64)
}

// take marks an index as used; it reports false when it was already.
func (x *indexes) take(i uint32) bool {
	for int(i/64) >= len(x.used) {
		x.used = append(x.used, 0)
	}
	was := x.used[i/64]
	x.used[i/64] |= 1 << (i % 64)
	return was != x.used[i/64]
}

// put gives an index back.
func (x *indexes) put(i uint32) {
	x.used[i/64] &^= 1 << (i % 64)
	x.hint = min(x.hint, int(i/64))
}
