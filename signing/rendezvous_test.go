package signing_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"onair/signing"
)

func domainOf(p *signing.PlaySigner, code string) string {
	url := string(p.AppendURL(nil, signing.RTMP, code, 0))
	domain, _, _ := strings.Cut(strings.TrimPrefix(url, "rtmp://"), "/")
	return domain
}

// domainsOfCodes returns the play domain of each of n codes.
func domainsOfCodes(t *testing.T, n int, domains ...signing.Domain) []string {
	p := newPlaySigner(t, signing.PlaySignerConfig{Domains: domains})
	list := make([]string, n)
	for i := range list {
		list[i] = domainOf(p, fmt.Sprintf("8888_anchor%d", i))
	}
	return list
}

// TestDomainSharesFollowWeights: each share is within five standard deviations of its
// weight.
func TestDomainSharesFollowWeights(t *testing.T) {
	const n = 50_000
	for _, domains := range [][]signing.Domain{
		{{Name: "a", Weight: 1}},
		{{Name: "a", Weight: 0}, {Name: "b", Weight: 1}}, // 0 is 1
		{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}, {Name: "c", Weight: 7}},
		{{Name: "a", Weight: 999}, {Name: "b", Weight: 1}},
		{{Name: "play1.example.com", Weight: 500}, {Name: "play2.example.com", Weight: 500}, {Name: "play3.example.com", Weight: 250}},
	} {
		count, sum := make(map[string]float64), 0.0
		for _, name := range domainsOfCodes(t, n, domains...) {
			count[name]++
		}
		for _, d := range domains {
			sum += float64(max(d.Weight, 1))
		}
		for _, d := range domains {
			share := float64(max(d.Weight, 1)) / sum
			if off := math.Abs(count[d.Name] - n*share); off > 5*math.Sqrt(n*share*(1-share)) {
				t.Errorf("%v: %s has %v of %v", domains, d.Name, count[d.Name], n*share)
			}
		}
	}
}

// TestOnlyNecessaryCodesMove: a change of one domain moves codes from or to it only.
func TestOnlyNecessaryCodesMove(t *testing.T) {
	const n = 10_000
	a, b, c := signing.Domain{Name: "a", Weight: 2}, signing.Domain{Name: "b", Weight: 3}, signing.Domain{Name: "c", Weight: 4}
	before := domainsOfCodes(t, n, a, b, c)
	for i, name := range domainsOfCodes(t, n, c, a, b) {
		if name != before[i] {
			t.Fatal("the order of the domains matters")
		}
	}
	for i, name := range domainsOfCodes(t, n, a, b) {
		if name != before[i] && before[i] != "c" {
			t.Fatalf("without c, a code moved from %s to %s", before[i], name)
		}
	}
	for i, name := range domainsOfCodes(t, n, a, b, signing.Domain{Name: "c", Weight: 5}) {
		if name != before[i] && name != "c" {
			t.Fatalf("with more weight on c, a code moved from %s to %s", before[i], name)
		}
	}
}
