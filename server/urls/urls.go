package urls

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// Signer signs the URLs that clients get, with the signers of the current configuration, and is
// the hub.PlaySigner of all views. A reload changes the key and domain of new URLs; URLs that
// viewers have are replaced at their next renewal. It may be used concurrently.
type Signer struct {
	runtime *runtimeconfig.Store

	push, play, playback, view prometheus.Counter // signed URLs, by use
}

// New makes a signer, and registers the counter of signed URLs.
func New(runtime *runtimeconfig.Store, reg prometheus.Registerer) *Signer {
	signed := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "onair_signed_urls_total", Help: "Signed URLs, by use.",
	}, []string{"use"})
	return &Signer{
		runtime: runtime, push: signed.WithLabelValues("push"), play: signed.WithLabelValues("play"),
		playback: signed.WithLabelValues("playback"), view: signed.WithLabelValues("view"),
	}
}

// PushURLs returns the push URLs of a live code, which are valid for push.ttl from now on.
func (s *Signer) PushURLs(code string) wire.PushURLs {
	s.push.Inc()
	return wire.PushURLs(s.runtime.Current().PushSigner.URLs(code, time.Now()))
}

// PushURLsExpiringAt returns push URLs that expire at a given time.
func (s *Signer) PushURLsExpiringAt(code string, expiresMillis int64) wire.PushURLs {
	return wire.PushURLs(s.runtime.Current().PushSigner.URLsExpiringAt(code, expiresMillis/1000))
}

// PlayURLs returns all play URLs of a live code at a log time as one JSON object, and
// when they expire. Times are Unix milliseconds.
func (s *Signer) PlayURLs(code string, logTime int64) (urlsJSON []byte, expiresMillis int64) {
	s.play.Inc()
	signer := s.runtime.Current().PlaySigner
	expiresMillis = signer.Expiry(code, logTime)
	return playURLsJSON(signer, code, expiresMillis), expiresMillis
}

// PlayURLsExpiringAt returns play URLs that expire at a given time, as one JSON object.
func (s *Signer) PlayURLsExpiringAt(code string, expiresMillis int64) (urlsJSON []byte) {
	return playURLsJSON(s.runtime.Current().PlaySigner, code, expiresMillis)
}

func playURLsJSON(signer *signing.PlaySigner, code string, expiresMillis int64) []byte {
	dst := []byte{'{'}
	for i, protocol := range signer.Protocols() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, string(protocol)), ':')
		dst = wire.AppendJSONString(dst, string(signer.AppendURL(nil, protocol, code, expiresMillis)))
	}
	return append(dst, '}')
}

// RecordingURL returns the URL of a recording, which expires at a given time. An
// error is returned when the location of the recording has no URL.
func (s *Signer) RecordingURL(location string, expiresUnix int64) (url string, err error) {
	url, err = s.runtime.Current().PlaybackSigner.URL(location, expiresUnix)
	if err == nil {
		s.playback.Inc()
	}
	return url, err
}

// Protocols returns the protocols of play URLs.
func (s *Signer) Protocols() []string {
	var names []string
	for _, p := range s.runtime.Current().PlaySigner.Protocols() {
		names = append(names, string(p))
	}
	return names
}

// Expiry returns when the URLs of a live code at a log time expire. Times are Unix milliseconds.
func (s *Signer) Expiry(code string, logTime int64) (expiresMillis int64) {
	return s.runtime.Current().PlaySigner.Expiry(code, logTime)
}

// NextRenewal returns when the URLs of a live code change next after a log time.
func (s *Signer) NextRenewal(code string, logTime int64) (renewalLogTime int64) {
	return s.runtime.Current().PlaySigner.NextRenewal(code, logTime)
}

// AppendURL appends the signed URL of one protocol, for an entry of a view.
func (s *Signer) AppendURL(dst []byte, protocol, code string, expiresMillis int64) []byte {
	s.view.Inc()
	return s.runtime.Current().PlaySigner.AppendURL(dst, signing.Protocol(protocol), code, expiresMillis)
}
