package signing_test

import (
	"testing"
	"time"

	"onair/signing"
)

// hotCalls are the calls that a list makes for each of its entries.
func hotCalls(t testing.TB) map[string]func() {
	t.Helper()
	backed := newTencentSigner(t, signing.SignerConfig{BackupKey: backup})
	strong := newTencentSigner(t, signing.SignerConfig{Algorithm: signing.SHA256})
	three := []signing.Domain{{Name: "play1.example.com", Weight: 5}, {Name: "play2.example.com", Weight: 3}, {Name: "play3.example.com", Weight: 2}}
	one, many := newPlaySigner(t, signing.PlaySignerConfig{Signer: backed}), newPlaySigner(t, signing.PlaySignerConfig{Domains: three})
	sha := newPlaySigner(t, signing.PlaySignerConfig{Signer: strong})
	hd := newPlaySigner(t, signing.PlaySignerConfig{Templates: map[string]string{"hd": "hd"}})
	query := signedQuery(backed, code, "", expires)
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
	for name, call := range hotCalls(t) {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkHotCalls(b *testing.B) {
	for name, call := range hotCalls(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

var sink string

// BenchmarkPlayURL makes the URL of one entry: expiry, domain, signature and string. The budget is 250 ns and one allocation.
func BenchmarkPlayURL(b *testing.B) {
	p := newPlaySigner(b, signing.PlaySignerConfig{Domains: []signing.Domain{{Name: "play1.example.com", Weight: 2}, {Name: "play2.example.com", Weight: 1}}})
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = p.AppendURL(buf[:0], signing.FLV, code, p.Expiry(code, expires*1000))
		sink = string(buf)
	}
}

func BenchmarkPushURLs(b *testing.B) {
	p, err := signing.NewPushSigner(signing.PushSignerConfig{
		Signer: newTencentSigner(b, signing.SignerConfig{}), Domain: "push.example.com", App: "live", TTL: 24 * time.Hour,
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Unix(expires, 0)
	b.ReportAllocs()
	for b.Loop() {
		sink = p.URLs(code, now).RTMP
	}
}
