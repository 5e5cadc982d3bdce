package signing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PlaySignerConfig is where streams are played from.
type PlaySignerConfig struct {
	Signer  Signer   // of the domains that have none of their own
	Domains []Domain // one or more
	App     string

	// TTL is the validity of a new play URL, which is renewed after half of that.
	// It is rounded down to an even number of seconds. If it is too short, viewers
	// that reconnect with an old URL are refused and lists carry more renewals; if
	// it is too long, a copied URL lives on.
	TTL time.Duration

	Protocols []Protocol // in the order in which they are offered
	Server    Server     // serves all domains, which decides the paths of their files

	// Templates are the suffixes of transcoding templates by name. Each offers every
	// protocol once more: {"hd": "550"} adds to flv, as stream.flv, flv_hd, as
	// stream_550.flv. Names consist of a-z 0-9 _ -.
	Templates map[string]string

	Scheme string // of FLV and HLS: "http" or "https"; empty: "https"

	// Ports are the ports of protocols where they are not the default ones, as
	// with self-hosted media servers. Then no domain may name a port.
	Ports map[Protocol]int
}

// PlaySigner makes and verifies the play URLs of streams. It is safe for
// concurrent use.
type PlaySigner struct {
	// Static after construction.
	domains    weightedDomains
	app        string
	scheme     string
	periods    urlPeriods
	server     Server
	renditions []rendition
}

// rendition is one way to play each stream.
type rendition struct {
	name           Protocol // protocol, or protocol_template's name
	protocol       Protocol
	templateSuffix string
	port           string
	file           filePath
}

// NewPlaySigner returns an error when the configuration is invalid, or when the
// provider of a domain lacks one of the protocols.
func NewPlaySigner(c PlaySignerConfig) (*PlaySigner, error) {
	domains, err := newWeightedDomains(c.Domains, c.Signer)
	if err != nil {
		return nil, err
	}
	s := &PlaySigner{
		domains: domains, app: c.App, scheme: c.Scheme,
		periods: urlPeriods{seconds: int64(c.TTL / (2 * time.Second))}, server: c.Server,
	}
	if s.renditions, err = newRenditions(&c); err != nil {
		return nil, err
	}
	for _, d := range domains {
		if err := validateOrigin(d.signer, d.name, c.App); err != nil {
			return nil, err
		}
	}
	if err := cmp.Or(c.validateTTLSchemeTemplates(), c.validatePorts(), s.validateRenditions()); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *PlaySignerConfig) validateTTLSchemeTemplates() error {
	if c.TTL < 2*time.Second {
		return errors.New("signing: invalid ttl of play URLs: must be at least 2s")
	}
	if c.Scheme != "" && c.Scheme != "https" && c.Scheme != "http" {
		return fmt.Errorf("signing: invalid scheme %q: must be https or http", c.Scheme)
	}
	for name, suffix := range c.Templates {
		if !IsName(name) || strings.ToLower(name) != name {
			return fmt.Errorf("signing: invalid template name %q: must consist of a-z 0-9 _ -", name)
		}
		if !IsName(suffix) {
			return fmt.Errorf("signing: invalid suffix %q of template %s: must consist of A-Z a-z 0-9 _ -", suffix, name)
		}
	}
	return nil
}

func (c *PlaySignerConfig) validatePorts() error {
	for protocol, port := range c.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("signing: invalid port %d of %s", port, protocol)
		}
		for _, d := range c.Domains {
			if host := d.Name[strings.LastIndex(d.Name, "]")+1:]; strings.Contains(host, ":") {
				return fmt.Errorf("signing: both the domain %s and the protocol %s have a port", d.Name, protocol)
			}
		}
	}
	return nil
}

// newRenditions lists the bare protocols first, then those of each template, sorted
// by its name: the order is the same on every node.
func newRenditions(c *PlaySignerConfig) (renditions []rendition, err error) {
	files := map[Protocol]filePath{}
	for _, protocol := range c.Protocols {
		if files[protocol], err = filePathOf(c.Server, protocol); err != nil {
			return nil, err
		}
	}
	appendTemplate := func(nameSuffix Protocol, templateSuffix string) {
		for _, protocol := range c.Protocols {
			r := rendition{name: protocol + nameSuffix, protocol: protocol, templateSuffix: templateSuffix, file: files[protocol]}
			if port := c.Ports[protocol]; port != 0 {
				r.port = strconv.Itoa(port)
			}
			renditions = append(renditions, r)
		}
	}
	appendTemplate("", "")
	for _, name := range slices.Sorted(maps.Keys(c.Templates)) {
		appendTemplate(Protocol("_"+name), c.Templates[name])
	}
	return renditions, nil
}

// validateRenditions returns an error when a protocol is configured twice, or when
// a domain's provider has no play URL of it.
func (s *PlaySigner) validateRenditions() error {
	seen := map[Protocol]bool{}
	for i := range s.renditions {
		r := &s.renditions[i]
		if seen[r.name] {
			return fmt.Errorf("signing: protocol %q is configured twice", r.name)
		}
		seen[r.name] = true
		for _, d := range s.domains {
			if len(d.signer.AppendURL(nil, s.resource(d.name, "code", r), 0)) == 0 {
				return fmt.Errorf("signing: the provider of %s has no play URLs of protocol %q", d.name, r.name)
			}
		}
	}
	return nil
}

func (s *PlaySigner) resource(domain, code string, r *rendition) Resource {
	return Resource{
		Domain: domain, App: cmp.Or(r.file.app, s.app), Stream: code, TemplateSuffix: r.templateSuffix,
		Protocol: r.protocol, Scheme: s.scheme, Port: r.port, Extension: r.file.extension,
	}
}

// AppendURL appends the URL that plays code over protocol until expiresMillis (Unix
// milliseconds, as returned by Expiry). It appends nothing if protocol is not one
// of Protocols. The domain depends on the code and the weights alone.
func (s *PlaySigner) AppendURL(dst []byte, protocol Protocol, code string, expiresMillis int64) []byte {
	r := s.rendition(protocol)
	if r == nil {
		return dst
	}
	d := s.domains.domainOf(code)
	return d.signer.AppendURL(dst, s.resource(d.name, code, r), expiresMillis/1000)
}

// Verify returns nil if the signature in queryOrPath permits a play of res at
// nowUnix (Unix seconds). It tries all domains, since a callback does not name one,
// and where the Protocol is unknown, all protocols. Of the errors of [Signer].Verify
// it returns the one for the most correct signature.
func (s *PlaySigner) Verify(res Resource, queryOrPath string, nowUnix int64) (err error) {
	protocols := []Protocol{res.Protocol}
	if res.Protocol == "" {
		protocols = []Protocol{RTMP, FLV, HLS}
	}
	app := res.App
	for _, d := range s.domains {
		res.Domain = d.name
		for _, res.Protocol = range protocols {
			file, _ := filePathOf(s.server, res.Protocol) // one that is not served has no signature to match
			res.App, res.Extension = cmp.Or(file.app, app), file.extension
			switch e := d.signer.Verify(res, queryOrPath, nowUnix); {
			case e == nil:
				return nil
			case err == nil || errorRank(e) > errorRank(err):
				err = e
			}
		}
	}
	return err
}

// errorRank is higher the more of a signature was correct.
func errorRank(err error) int {
	return slices.Index([]error{ErrMissing, ErrMalformed, ErrMismatch, ErrExpired}, err)
}

// Protocols returns the protocols that streams can be played over, in the order of
// the configuration, and then the same of each template, as in "flv_hd".
func (s *PlaySigner) Protocols() []Protocol {
	names := make([]Protocol, len(s.renditions))
	for i := range s.renditions {
		names[i] = s.renditions[i].name
	}
	return names
}

// HasProtocol reports whether protocol is one of Protocols.
func (s *PlaySigner) HasProtocol(protocol Protocol) bool { return s.rendition(protocol) != nil }

// rendition returns the rendition of a name, or nil. There are a handful.
func (s *PlaySigner) rendition(name Protocol) *rendition {
	for i := range s.renditions {
		if s.renditions[i].name == name {
			return &s.renditions[i]
		}
	}
	return nil
}
