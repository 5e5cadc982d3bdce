package signing_test

import (
	"testing"
	"time"

	"onair/signing"
)

// hot are the calls that a list makes for each entry that it shows.
func hot(t testing.TB) map[string]func() {
	t.Helper()
	backed := newTencent(t, signing.SignerConfig{BackupKey: backup})
	strong := newTencent(t, signing.SignerConfig{Algorithm: signing.SHA256})
	three := []signing.Domain{{Name: "play1.example.com", Weight: 5}, {Name: "play2.example.com", Weight: 3}, {Name: "play3.example.com", Weight: 2}}
	one, many := newPlayer(t, signing.PlaySignerConfig{Signer: backed}), newPlayer(t, signing.PlaySignerConfig{Domains: three})
	sha := newPlayer(t, signing.PlaySignerConfig{Signer: strong})
	hd := newPlayer(t, signing.PlaySignerConfig{Templates: map[string]string{"hd": "hd"}})
	query := queryOf(backed, code, "", expires)
	buf := make([]byte, 0, 256)
	return map[string]func(){
		"append":        func() { buf = one.AppendURL(buf[:0], signing.FLV, code, expires*1000) },
		"append/3":      func() { buf = many.AppendURL(buf[:0], signing.FLV, code, expires*1000) },
		"append/hd":     func() { buf = hd.AppendURL(buf[:0], "hls_hd", code, expires*1000) },
		"append/sha256": func() { buf = sha.AppendURL(buf[:0], signing.FLV, code, expires*1000) },
		"expiry":        func() { one.Expiry(code, expires*1000) },
		"verify":        func() { _ = backed.Verify(signing.Resource{Stream: code}, query, expires-1) },
	}
}

func TestHotCallsDoNotAllocate(t *testing.T) {
	for name, call := range hot(t) {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkHot(b *testing.B) {
	for name, call := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

var kept string

// BenchmarkPlayURL is one entry's URL in full: expiry, domain, signature and
// the string. The budget is 250 ns and one allocation.
func BenchmarkPlayURL(b *testing.B) {
	p := newPlayer(b, signing.PlaySignerConfig{Domains: []signing.Domain{{Name: "play1.example.com", Weight: 2}, {Name: "play2.example.com", Weight: 1}}})
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = p.AppendURL(buf[:0], signing.FLV, code, p.Expiry(code, expires*1000))
		kept = string(buf)
	}
}

func BenchmarkPushURLs(b *testing.B) {
	p, err := signing.NewPushSigner(signing.PushSignerConfig{
		Signer: newTencent(b, signing.SignerConfig{}), Domain: "push.example.com", App: "live", TTL: 24 * time.Hour,
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Unix(expires, 0)
	b.ReportAllocs()
	for b.Loop() {
		kept = p.URLs(code, now).RTMP
	}
}
