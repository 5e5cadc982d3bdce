package signing

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Domain is a play domain and its share of the streams.
type Domain struct {
	Name   string
	Weight int // relative to the others', at most MaxWeight; 0 is 1

	// Signer is for a domain of another provider, or with other keys; nil: the
	// player's.
	Signer Signer
}

// MaxWeight is the largest weight of a [Domain].
const MaxWeight = 1000

// domains choose a domain for each code by weighted rendezvous hashing: the
// share of each is as its weight, and when one comes, goes or changes its
// weight, only codes that move to or from that one move. The order of the
// configuration does not matter.
type domains []domain

type domain struct {
	name   string
	signer Signer
	seed   uint64
	weight uint64
}

func newDomains(list []Domain) (domains, error) {
	if len(list) == 0 {
		return nil, errors.New("signing: there is no play domain")
	}
	ds := make(domains, 0, len(list))
	for _, d := range list {
		if d.Weight < 0 || d.Weight > MaxWeight {
			return nil, fmt.Errorf("signing: the weight of %s must be from 0 to %d", d.Name, MaxWeight)
		}
		ds = append(ds, domain{name: d.Name, signer: d.Signer, seed: mix(hash(d.Name)), weight: uint64(max(d.Weight, 1))})
	}
	slices.SortFunc(ds, func(a, b domain) int { return cmp.Compare(a.name, b.name) })
	for i := range ds[1:] {
		if ds[i].name == ds[i+1].name {
			return nil, fmt.Errorf("signing: play domain %s is there twice", ds[i].name)
		}
	}
	return ds, nil
}

// pick returns the domain of code: the one with the least distance/weight.
func (ds domains) pick(code string) *domain {
	if len(ds) == 1 {
		return &ds[0]
	}
	h := hash(code)
	best, least := &ds[0], distance(mix(h^ds[0].seed))
	for i := range ds[1:] {
		d := &ds[i+1]
		if far := distance(mix(h ^ d.seed)); far*best.weight < least*d.weight {
			best, least = d, far
		}
	}
	return best
}

// distance returns −ln(h/2⁶⁴) in units of 2⁻³²: exponentially distributed for
// uniform h, so that divided by a weight it is the least as often as that weight
// says. It is made of integers alone: floating point may be fused on one
// architecture and not on the next, and all nodes must agree.
//
// With h = 2⁻ᶻ·(1−g), where 0 < g ≤ ½, it is z·ln 2 + 2·artanh(g/(2−g)), the
// latter by the first five terms of its series: right to two millionths.
func distance(h uint64) uint64 {
	const one, ln2 = 1 << 32, 2977044472
	h |= 1
	zeros := bits.LeadingZeros64(h)
	g := -(h << zeros) >> 32
	x := g << 32 / (2*one - g)
	xx := x * x >> 32
	sum := uint64(one / 9)
	sum = one/7 + sum*xx>>32
	sum = one/5 + sum*xx>>32
	sum = one/3 + sum*xx>>32
	sum = one + sum*xx>>32
	return uint64(zeros)*ln2 + 2*x*sum>>32
}

// hash is FNV-1a of 64 bits. It must be the same in every process and version.
func hash(s string) uint64 { return hashOf(s) }

func hashOf[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of h over all others (the finalizer of SplitMix64),
// which FNV leaves to do.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
