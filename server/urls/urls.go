package urls

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// Uses of signed URLs: values of the metric's label.
const (
	useView     = "view" // in entries of views
	usePush     = "push"
	usePlay     = "play"
	usePlayback = "playback"
)

// Signer signs the URLs that clients get, with the signers of the current configuration. It may
// be used concurrently.
type Signer struct {
	runtime *runtimeconfig.Store
	signed  *prometheus.CounterVec
}

// New makes a signer, and registers the counter of signed URLs.
func New(runtime *runtimeconfig.Store, reg prometheus.Registerer) *Signer {
	s := &Signer{runtime, promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "onair_signed_urls_total", Help: "Signed URLs, by use.",
	}, []string{"use"})}
	for _, use := range []string{useView, usePush, usePlay, usePlayback} {
		s.signed.WithLabelValues(use)
	}
	return s
}

// PushURLs returns the push URLs of a live code, which are valid for push.ttl from now on.
func (s *Signer) PushURLs(code string) wire.PushURLs {
	s.signed.WithLabelValues(usePush).Inc()
	return wirePushURLs(s.runtime.Current().PushSigner.URLs(code, time.Now()))
}

// PushURLsExpiringAt returns push URLs that expire at a time in Unix milliseconds.
func (s *Signer) PushURLsExpiringAt(code string, expires int64) wire.PushURLs {
	return wirePushURLs(s.runtime.Current().PushSigner.URLsExpiringAt(code, expires/1000))
}

// wirePushURLs converts push URLs to their form in the protocol.
func wirePushURLs(p signing.PushURLs) wire.PushURLs {
	return wire.PushURLs{
		RTMP: p.RTMP, Server: p.Server, Key: p.Key, SRT: p.SRT, WebRTC: p.WebRTC, ExpiresAt: p.ExpiresAt,
	}
}

// PlayURLs returns all play URLs of a live code at a log time as one JSON object, and
// when they expire. Times are Unix milliseconds.
func (s *Signer) PlayURLs(code string, logTime int64) (urls []byte, expires int64) {
	s.signed.WithLabelValues(usePlay).Inc()
	signer := s.runtime.Current().PlaySigner
	expires = signer.Expiry(code, logTime)
	return appendPlayURLs(nil, signer, code, expires), expires
}

// PlayURLsExpiringAt returns play URLs that expire at a time in Unix milliseconds.
func (s *Signer) PlayURLsExpiringAt(code string, expires int64) []byte {
	return appendPlayURLs(nil, s.runtime.Current().PlaySigner, code, expires)
}

// appendPlayURLs appends all play URLs of a live code as one JSON object.
func appendPlayURLs(dst []byte, signer *signing.PlaySigner, code string, expires int64) []byte {
	dst = append(dst, '{')
	for i, protocol := range signer.Protocols() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, string(protocol)), ':')
		dst = wire.AppendJSONString(dst, string(signer.AppendURL(nil, protocol, code, expires)))
	}
	return append(dst, '}')
}

// RecordingURL returns the URL of a recording, which expires at a time in Unix seconds. An
// error is returned when the location of the recording has no URL.
func (s *Signer) RecordingURL(location string, expires int64) (string, error) {
	url, err := s.runtime.Current().PlaybackSigner.URL(location, expires)
	if err == nil {
		s.signed.WithLabelValues(usePlayback).Inc()
	}
	return url, err
}

// ViewSigner signs the play URLs in entries of views. A reload changes the key and domain of
// new URLs; URLs that viewers have are replaced at their next renewal.
type ViewSigner struct {
	runtime *runtimeconfig.Store
	signed  prometheus.Counter
}

// ViewSigner returns the signer of URLs in views.
func (s *Signer) ViewSigner() ViewSigner {
	return ViewSigner{s.runtime, s.signed.WithLabelValues(useView)}
}

// Protocols returns the protocols of play URLs.
func (v ViewSigner) Protocols() []string {
	var names []string
	for _, p := range v.runtime.Current().PlaySigner.Protocols() {
		names = append(names, string(p))
	}
	return names
}

// Expiry returns when the URLs of a live code at a log time expire. Times are Unix milliseconds.
func (v ViewSigner) Expiry(code string, logTime int64) int64 {
	return v.runtime.Current().PlaySigner.Expiry(code, logTime)
}

// NextRenewal returns when the URLs of a live code change next after a log time.
func (v ViewSigner) NextRenewal(code string, logTime int64) int64 {
	return v.runtime.Current().PlaySigner.NextRenewal(code, logTime)
}

// AppendURL appends the signed URL of one protocol.
func (v ViewSigner) AppendURL(dst []byte, protocol, code string, expires int64) []byte {
	v.signed.Inc()
	return v.runtime.Current().PlaySigner.AppendURL(dst, signing.Protocol(protocol), code, expires)
}
