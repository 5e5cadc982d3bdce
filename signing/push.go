package signing

import (
	"errors"
	"strings"
	"time"
)

// PushURLs is everything that an encoder needs to push one stream. Everybody who
// has it can push: send it to the stream's anchor only, and never log it.
type PushURLs struct {
	RTMP   string // Server + Key
	Server string // the first of the two fields of OBS, with its last '/'
	Key    string // the second field: the stream and its signature
	SRT    string // empty where the provider has none
	WebRTC string // empty where the provider has none

	ExpiresAt int64 // Unix milliseconds, a whole second
}

// PushSignerConfig is where streams are pushed to.
type PushSignerConfig struct {
	Signer Signer
	Domain string
	App    string

	// TTL is how long a push may begin after its URLs were made; pushes that
	// have begun go on. If it is too short, an encoder that reconnects is refused;
	// if it is too long, a leaked URL lives on. Tencent advises 24 hours.
	TTL time.Duration
}

// PushSigner makes and verifies the push URLs of streams. It is safe for
// concurrent use.
type PushSigner struct {
	// Static after construction.
	signer Signer
	domain string
	app    string
	server string // the first part of RTMP URLs
	ttl    time.Duration
}

// NewPushSigner returns an error when the configuration is invalid.
func NewPushSigner(c PushSignerConfig) (*PushSigner, error) {
	if err := validateOrigin(c.Signer, c.Domain, c.App); err != nil {
		return nil, err
	}
	if c.TTL < time.Second {
		return nil, errors.New("signing: invalid ttl of push URLs: must be at least 1s")
	}
	s := &PushSigner{signer: c.Signer, domain: c.Domain, app: c.App, server: "rtmp://" + c.Domain + "/" + c.App + "/", ttl: c.TTL}
	if s.url(RTMP, "code", 0) == "" {
		return nil, errors.New("signing: this provider has no push URLs")
	}
	return s, nil
}

// URLs returns the push URLs of a live code for pushes that begin within the ttl
// from now.
func (s *PushSigner) URLs(code string, now time.Time) PushURLs {
	return s.URLsExpiringAt(code, now.Add(s.ttl).Unix())
}

// URLsExpiringAt returns the push URLs of a live code for pushes that begin before
// expiresUnix (Unix seconds).
func (s *PushSigner) URLsExpiringAt(code string, expiresUnix int64) PushURLs {
	rtmp := s.url(RTMP, code, expiresUnix)
	return PushURLs{
		RTMP:      rtmp,
		Server:    s.server,
		Key:       strings.TrimPrefix(rtmp, s.server),
		SRT:       s.url(SRT, code, expiresUnix),
		WebRTC:    s.url(WebRTC, code, expiresUnix),
		ExpiresAt: expiresUnix * 1000,
	}
}

// Verify returns nil if rawQuery permits a push of a live code at nowUnix (Unix
// seconds), and the errors of [Signer].Verify.
func (s *PushSigner) Verify(code, rawQuery string, nowUnix int64) error {
	return s.signer.Verify(s.resource(RTMP, code), rawQuery, nowUnix)
}

func (s *PushSigner) url(protocol Protocol, code string, expiresUnix int64) string {
	return string(s.signer.AppendURL(nil, s.resource(protocol, code), expiresUnix))
}

func (s *PushSigner) resource(protocol Protocol, code string) Resource {
	return Resource{Domain: s.domain, App: s.app, Stream: code, Protocol: protocol, Push: true}
}
