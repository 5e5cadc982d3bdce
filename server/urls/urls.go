package urls

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"onair/hub/wire"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// Uses of signed URLs, as metrics name them.
const (
	useView     = "view" // in what a view shows
	usePush     = "push"
	usePlay     = "play"
	usePlayback = "playback"
)

// Signer signs the URLs that clients get, by the configuration in force. It may be
// used concurrently.
type Signer struct {
	runtime *runtimeconfig.Store
	signed  *prometheus.CounterVec
}

// New registers the counters of signed URLs.
func New(runtime *runtimeconfig.Store, reg prometheus.Registerer) *Signer {
	s := &Signer{runtime, promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "onair_signed_urls_total", Help: "URLs that were signed, by use.",
	}, []string{"use"})}
	for _, use := range []string{useView, usePush, usePlay, usePlayback} {
		s.signed.WithLabelValues(use)
	}
	return s
}

// PushURLs returns the URLs that an anchor's encoder needs, signed from now on.
func (s *Signer) PushURLs(code string) wire.PushURLs {
	s.signed.WithLabelValues(usePush).Inc()
	return wirePushURLs(s.runtime.Current().PushSigner.URLs(code, time.Now()))
}

// PushURLsExpiringAt returns push URLs that end at a time in Unix milliseconds.
func (s *Signer) PushURLsExpiringAt(code string, expires int64) wire.PushURLs {
	return wirePushURLs(s.runtime.Current().PushSigner.URLsExpiringAt(code, expires/1000))
}

func wirePushURLs(p signing.PushURLs) wire.PushURLs {
	return wire.PushURLs{
		RTMP: p.RTMP, Server: p.Server, Key: p.Key, SRT: p.SRT, WebRTC: p.WebRTC, ExpiresAt: p.ExpiresAt,
	}
}

// PlayURLs returns all play URLs of a live code at a log time as one JSON object, and
// when they expire. Times are Unix milliseconds.
func (s *Signer) PlayURLs(code string, at int64) (urls []byte, expires int64) {
	s.signed.WithLabelValues(usePlay).Inc()
	player := s.runtime.Current().PlaySigner
	expires = player.Expiry(code, at)
	return appendPlayURLs(nil, player, code, expires), expires
}

// PlayURLsExpiringAt returns play URLs that end at a time in Unix milliseconds.
func (s *Signer) PlayURLsExpiringAt(code string, expires int64) []byte {
	return appendPlayURLs(nil, s.runtime.Current().PlaySigner, code, expires)
}

// appendPlayURLs appends all play URLs of a live code as one JSON object.
func appendPlayURLs(dst []byte, player *signing.PlaySigner, code string, expires int64) []byte {
	dst = append(dst, '{')
	for i, p := range player.Protocols() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, string(p)), ':')
		dst = wire.AppendJSONString(dst, string(player.AppendURL(nil, p, code, expires)))
	}
	return append(dst, '}')
}

// RecordingURL returns the URL of a recording, until a time in Unix seconds.
func (s *Signer) RecordingURL(location string, expires int64) (string, error) {
	url, err := s.runtime.Current().PlaybackSigner.URL(location, expires)
	if err == nil {
		s.signed.WithLabelValues(usePlayback).Inc()
	}
	return url, err
}

// ViewSigner puts play URLs into the entries of views. After a reload they are
// signed with the new key, for the new domain; those that viewers have stay as
// they are until they would be renewed anyway.
type ViewSigner struct {
	runtime *runtimeconfig.Store
	signed  prometheus.Counter
}

// ViewSigner returns what signs the URLs in views.
func (s *Signer) ViewSigner() ViewSigner {
	return ViewSigner{s.runtime, s.signed.WithLabelValues(useView)}
}

// Protocols lists those that the provider can be asked for.
func (v ViewSigner) Protocols() []string {
	var names []string
	for _, p := range v.runtime.Current().PlaySigner.Protocols() {
		names = append(names, string(p))
	}
	return names
}

// Expiry says when the URLs that are in force end.
func (v ViewSigner) Expiry(code string, at int64) int64 {
	return v.runtime.Current().PlaySigner.Expiry(code, at)
}

// NextRenewal says when others are.
func (v ViewSigner) NextRenewal(code string, at int64) int64 {
	return v.runtime.Current().PlaySigner.NextRenewal(code, at)
}

// AppendURL appends one signed URL.
func (v ViewSigner) AppendURL(dst []byte, proto, code string, expires int64) []byte {
	v.signed.Inc()
	return v.runtime.Current().PlaySigner.AppendURL(dst, signing.Protocol(proto), code, expires)
}
