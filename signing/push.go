package signing

import (
	"errors"
	"strings"
	"time"
)

// Push is everything that an encoder needs to push one stream. Whoever has it
// can push: it goes to the stream's anchor only, and into no log.
type Push struct {
	RTMP   string // Server + Key
	Server string // the first of the two fields that OBS asks for, with its last '/'
	Key    string // the second: the stream and its signature
	SRT    string // empty where the provider has none
	WebRTC string // empty where the provider has none

	ExpiresAt int64 // Unix milliseconds, a whole second
}

// PusherConfig says where streams are pushed to.
type PusherConfig struct {
	Signer Signer
	Domain string
	App    string

	// TTL is how long a push may begin after its URLs were made; pushes that
	// have begun go on. Too short, and an encoder that reconnects is refused;
	// too long, and a leaked URL lives on. Tencent advises 24 hours.
	TTL time.Duration
}

// Pusher makes the push URLs of streams.
type Pusher struct {
	// Static after construction.
	signer      Signer
	domain, app string
	server      string
	ttl         time.Duration
}

// NewPusher returns a Pusher, or says what is wrong with its configuration.
func NewPusher(c PusherConfig) (*Pusher, error) {
	if err := errors.Join(checkSigner(c.Signer), checkPlace(c.Domain, c.App)); err != nil {
		return nil, err
	}
	if c.TTL < time.Second {
		return nil, errors.New("signing: the ttl of push URLs must be a second or more")
	}
	server := "rtmp://" + c.Domain + "/" + c.App + "/"
	p := &Pusher{signer: c.Signer, domain: c.Domain, app: c.App, server: server, ttl: c.TTL}
	if p.url(RTMP, "code", 0) == "" {
		return nil, errors.New("signing: this provider has no URLs to push to")
	}
	return p, nil
}

// URLs returns what pushes the stream code if begun within the ttl from now.
func (p *Pusher) URLs(code string, now time.Time) Push {
	return p.Until(code, now.Add(p.ttl).Unix())
}

// Until returns what pushes the stream code if begun before expires, in Unix
// seconds.
func (p *Pusher) Until(code string, expires int64) Push {
	rtmp := p.url(RTMP, code, expires)
	return Push{
		RTMP:      rtmp,
		Server:    p.server,
		Key:       strings.TrimPrefix(rtmp, p.server),
		SRT:       p.url(SRT, code, expires),
		WebRTC:    p.url(WebRTC, code, expires),
		ExpiresAt: expires * 1000,
	}
}

// Verify reports whether rawQuery lets somebody push the stream code at now, in
// Unix seconds, as [Signer].Verify does.
func (p *Pusher) Verify(code, rawQuery string, now int64) error {
	return p.signer.Verify(p.resource(RTMP, code), rawQuery, now)
}

func (p *Pusher) url(proto Protocol, code string, expires int64) string {
	return string(p.signer.AppendURL(nil, p.resource(proto, code), expires))
}

func (p *Pusher) resource(proto Protocol, code string) Resource {
	return Resource{Domain: p.domain, App: p.app, Stream: code, Protocol: proto, Push: true}
}
