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
	Weight int // relative to the other domains, at most MaxDomainWeight; 0 is 1

	// Signer is for a domain of another provider, or with other keys; nil: the
	// signer of the configuration.
	Signer Signer
}

// MaxDomainWeight is the largest weight of a [Domain].
const MaxDomainWeight = 1000

// weightedDomains choose a domain for each code by weighted rendezvous hashing: the
// share of each is proportional to its weight, and when a domain is added, removed
// or gets another weight, only codes from or to that domain move. The order of the
// configuration does not matter.
type weightedDomains []weightedDomain

type weightedDomain struct {
	name   string
	signer Signer
	seed   uint64
	weight uint64
}

func newWeightedDomains(configured []Domain, defaultSigner Signer) (weightedDomains, error) {
	if len(configured) == 0 {
		return nil, errors.New("signing: there is no play domain")
	}
	domains := make(weightedDomains, 0, len(configured))
	for _, d := range configured {
		if d.Weight < 0 || d.Weight > MaxDomainWeight {
			return nil, fmt.Errorf("signing: invalid weight %d of %s: must be from 0 to %d", d.Weight, d.Name, MaxDomainWeight)
		}
		signer := d.Signer
		if signer == nil {
			signer = defaultSigner
		}
		domains = append(domains, weightedDomain{d.Name, signer, mixBits(fnv1a(d.Name)), uint64(max(d.Weight, 1))})
	}
	slices.SortFunc(domains, func(a, b weightedDomain) int { return cmp.Compare(a.name, b.name) })
	for i := range domains[1:] {
		if domains[i].name == domains[i+1].name {
			return nil, fmt.Errorf("signing: play domain %s is configured twice", domains[i].name)
		}
	}
	return domains, nil
}

// domainOf returns the domain of code: the one with the least distance/weight.
func (domains weightedDomains) domainOf(code string) *weightedDomain {
	if len(domains) == 1 {
		return &domains[0]
	}
	h := fnv1a(code)
	best, bestDistance := &domains[0], exponentialDistance(mixBits(h^domains[0].seed))
	for i := range domains[1:] {
		d := &domains[i+1]
		if distance := exponentialDistance(mixBits(h ^ d.seed)); distance*best.weight < bestDistance*d.weight {
			best, bestDistance = d, distance
		}
	}
	return best
}

// exponentialDistance returns −ln(h/2⁶⁴) in units of 2⁻³². For uniform h it is
// exponentially distributed, so that each domain's distance/weight is the least as
// often as its weight demands. It uses integers alone: floating point may be fused
// on one architecture and not on the next, and all nodes must agree.
//
// With h = 2⁻ᶻ·(1−g), where 0 < g ≤ ½, it is z·ln 2 + 2·artanh(g/(2−g)), the
// latter by the first five terms of its series: exact to two millionths.
func exponentialDistance(h uint64) (distance uint64) {
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

// fnv1a is the FNV-1a hash of 64 bits. It must be the same in every process and
// version; that of the standard library allocates.
func fnv1a[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mixBits spreads every bit of h over all others (the finalizer of SplitMix64),
// which FNV-1a does not.
func mixBits(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
