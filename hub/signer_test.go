package hub

import (
	"time"

	"onair/signing"
)

// realSigner signs as a server does, for benchmarks.
type realSigner struct{ *signing.PlaySigner }

func newRealSigner() realSigner {
	key, err := signing.NewTencentSigner(signing.SignerConfig{Key: "a key of the usual length"})
	if err != nil {
		panic(err)
	}
	p, err := signing.NewPlaySigner(signing.PlaySignerConfig{
		Signer: key, Domains: []signing.Domain{{Name: "play.example.com", Weight: 1}}, App: "live",
		TTL: 2 * time.Hour, Protocols: []signing.Protocol{signing.FLV, signing.HLS},
	})
	if err != nil {
		panic(err)
	}
	return realSigner{p}
}

func (realSigner) Protocols() []string { return []string{"flv", "hls"} }

func (s realSigner) AppendURL(dst []byte, proto, code string, expires int64) []byte {
	return s.PlaySigner.AppendURL(dst, signing.Protocol(proto), code, expires)
}
