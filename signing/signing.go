package signing

import (
	"errors"
	"fmt"
	"strings"
)

// Protocol is a way to push or play. The protocols of a [Player] with templates
// are also named with one, as in "flv_hd".
type Protocol string

// The protocols that a [Resource] may have.
const (
	RTMP   Protocol = "rtmp"
	FLV    Protocol = "flv" // HTTP-FLV, play only
	HLS    Protocol = "hls" // play only
	WebRTC Protocol = "webrtc"
	SRT    Protocol = "srt" // push only
)

// Resource is what one URL addresses. Its names are written as they are: they
// must not need escaping.
type Resource struct {
	Domain string // may end in a port
	App    string // the path before the stream, such as "live"
	Stream string // the live code (直播码)

	// Template is the suffix of a transcoding template, without its
	// underscore, or empty. The cloud knows the transcoded stream as
	// Stream_Template, and that name is what is signed.
	Template string

	Protocol Protocol
	Push     bool   // the URL is to push to, not to play from
	Scheme   string // of FLV and HLS: "https", also where empty, or "http"
	Port     string // after the domain, or empty: the protocol's own, or the domain's
}

// appendName appends the name by which the cloud knows the stream.
func (r *Resource) appendName(dst []byte) []byte {
	dst = append(dst, r.Stream...)
	if r.Template == "" {
		return dst
	}
	return append(append(dst, '_'), r.Template...)
}

// Signer makes and checks the signed URLs of one provider: a pure function of
// its keys, the arguments and the time, safe for concurrent use.
type Signer interface {
	// AppendURL appends the signed URL of res that is valid until expires
	// (Unix seconds). It appends nothing where the provider has no such URL,
	// for example to play over SRT.
	AppendURL(dst []byte, res Resource, expires int64) []byte

	// Verify reports whether what was given lets somebody push or play res at now
	// (Unix seconds): with nil, or with ErrMissing, ErrMalformed, ErrMismatch or
	// ErrExpired. It is the raw query, without its '?', or of providers that sign in
	// the path the whole path. Of res it needs App, Stream and Template, and the
	// Protocol, as far as that is known.
	Verify(res Resource, given string, now int64) error
}

// checkPlace checks what stands before the stream in every URL.
func checkPlace(domain, app string) error {
	if domain == "" || strings.ContainsFunc(domain, notInDomain) {
		return fmt.Errorf("signing: %q is no domain", domain)
	}
	if !isName(app) {
		return fmt.Errorf("signing: app %q must be of A-Z a-z 0-9 _ -", app)
	}
	return nil
}

func checkSigner(s Signer) error {
	if s == nil {
		return errors.New("signing: there is no signer")
	}
	return nil
}

func isName(s string) bool { return s != "" && !strings.ContainsFunc(s, notInName) }

func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}

func notInDomain(r rune) bool {
	return notInName(r) && r != '.' && r != ':' && r != '[' && r != ']'
}
