package signing_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onair/signing"
)

func TestExpiryAndNextRenewal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		half := rapid.Int64Range(1, 100_000).Draw(t, "half, seconds") * 1000
		at := rapid.Int64Range(-1e13, 1e13).Draw(t, "at")
		code := rapid.StringMatching(`8888_[a-z]{1,8}`).Draw(t, "code")
		signer, err := signing.NewTencentSigner(signing.SignerConfig{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		p, err := signing.NewPlaySigner(signing.PlaySignerConfig{
			Signer: signer, Domains: []signing.Domain{{Name: "d"}}, App: "live", TTL: time.Duration(2*half) * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		expiry, next := p.Expiry(code, at), p.NextRenewal(code, at)
		if left := expiry - at; left <= half || left > 2*half {
			t.Fatalf("%d ms are left of a ttl of %d", left, 2*half)
		}
		if expiry%1000 != 0 {
			t.Fatalf("the expiry %d is not a whole second", expiry)
		}
		if next <= at || next > at+half {
			t.Fatalf("the next renewal after %d is at %d", at, next)
		}
		if got := p.Expiry(code, next-1); got != expiry {
			t.Fatalf("just before the renewal: got %d, want %d", got, expiry)
		}
		if got := p.Expiry(code, next); got != expiry+half {
			t.Fatalf("at the renewal: got %d, want %d", got, expiry+half)
		}
		if got := p.NextRenewal(code, next); got != next+half {
			t.Fatalf("the renewal after the renewal: got %d, want %d", got, next+half)
		}
	})
}

// TestTTLIsRoundedDownToWholeHalves: a half of the ttl has whole seconds.
func TestTTLIsRoundedDownToWholeHalves(t *testing.T) {
	odd := newPlaySigner(t, signing.PlaySignerConfig{TTL: 11*time.Second + time.Millisecond})
	even := newPlaySigner(t, signing.PlaySignerConfig{TTL: 10 * time.Second})
	for at := range int64(20) {
		if got, want := odd.Expiry(code, at*999), even.Expiry(code, at*999); got != want {
			t.Errorf("at %d: got %d, want %d", at*999, got, want)
		}
	}
}

// TestRenewalsAreSpread: 100,000 codes renew in 60 seconds, and no second has twice
// its share.
func TestRenewalsAreSpread(t *testing.T) {
	p := newPlaySigner(t, signing.PlaySignerConfig{TTL: 2 * time.Minute})
	renewals := make(map[int64]int)
	for i := range 100_000 {
		renewals[p.NextRenewal(fmt.Sprintf("8888_anchor%d", i), 0)]++
	}
	for at, n := range renewals {
		if n > 2*100_000/60 {
			t.Errorf("%d renewals at %d", n, at)
		}
	}
	if len(renewals) != 60 {
		t.Errorf("renewals at %d times, want 60", len(renewals))
	}
}

// TestExpiryGolden pins the hash: nodes of two versions must agree.
func TestExpiryGolden(t *testing.T) {
	p := newPlaySigner(t, signing.PlaySignerConfig{Domains: []signing.Domain{{Name: "a.example.com", Weight: 1}, {Name: "b.example.com", Weight: 2}, {Name: "c.example.com", Weight: 3}}})
	for code, want := range map[string]struct {
		expiry int64
		domain string
	}{
		"8888_alice": {1_763_836_490_000, "b.example.com"},
		"8888_bob":   {1_763_836_239_000, "c.example.com"},
		"8888_carol": {1_763_836_432_000, "c.example.com"},
		"8888_张三":    {1_763_834_343_000, "c.example.com"},
	} {
		if got := p.Expiry(code, 1_763_830_000_123); got != want.expiry {
			t.Errorf("%s expires at %d, want %d", code, got, want.expiry)
		}
		if got := domainOf(p, code); got != want.domain {
			t.Errorf("%s plays from %s, want %s", code, got, want.domain)
		}
	}
}
