package signing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PlayerConfig says where streams are played from.
type PlayerConfig struct {
	Signer  Signer
	Domains []Domain // one or more
	App     string

	// TTL is for how long a play URL is valid when it is new; it is renewed
	// after half of that. Whole seconds count, an even number of them. Too
	// short, and viewers that reconnect with an old URL are refused and lists
	// carry more renewals; too long, and a copied URL lives on.
	TTL time.Duration

	Protocols []Protocol // in the order in which they are offered

	// Templates are suffixes of transcoding templates by name. Each gives every
	// protocol once more: {"hd": "550"} adds to flv, as stream.flv, flv_hd, as
	// stream_550.flv. Names are of a-z 0-9 _ -.
	Templates map[string]string

	Scheme string // of FLV and HLS: "https", also where empty, or "http"

	// Ports are the ports of protocols where they are not the usual ones, as
	// with media servers of one's own. No domain names a port then.
	Ports map[Protocol]int
}

// Player makes the play URLs of streams.
type Player struct {
	// Static after construction.
	domains     domains
	app, scheme string
	halves      halves
	renditions  []rendition
}

// rendition is one way in which each stream can be played.
type rendition struct {
	name     Protocol // protocol, or protocol_template's name
	protocol Protocol
	template string
	port     string
}

// NewPlayer returns a Player, or says what is wrong with its configuration.
func NewPlayer(c PlayerConfig) (*Player, error) {
	if err := checkPlayer(&c); err != nil {
		return nil, err
	}
	ds, err := newDomains(c.Domains)
	if err != nil {
		return nil, err
	}
	for i := range ds {
		if ds[i].signer == nil {
			ds[i].signer = c.Signer
		}
	}
	p := &Player{
		domains: ds, app: c.App, scheme: c.Scheme,
		halves:     halves{seconds: int64(c.TTL / (2 * time.Second))},
		renditions: newRenditions(&c),
	}
	if err := p.checkRenditions(); err != nil {
		return nil, err
	}
	return p, nil
}

func checkPlayer(c *PlayerConfig) error {
	for _, d := range c.Domains {
		if c.Signer == nil && d.Signer == nil {
			return checkSigner(nil)
		}
		if err := checkPlace(d.Name, c.App); err != nil {
			return err
		}
	}
	for proto, port := range c.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("signing: %d of %s is no port", port, proto)
		}
		for _, d := range c.Domains {
			if name := d.Name[strings.LastIndex(d.Name, "]")+1:]; strings.Contains(name, ":") {
				return fmt.Errorf("signing: %s has a port, and so has %s", d.Name, proto)
			}
		}
	}
	if c.TTL < 2*time.Second {
		return errors.New("signing: the ttl of play URLs must be two seconds or more")
	}
	if c.Scheme != "" && c.Scheme != "https" && c.Scheme != "http" {
		return fmt.Errorf("signing: scheme %q is neither https nor http", c.Scheme)
	}
	for name, suffix := range c.Templates {
		if !isName(name) || strings.ToLower(name) != name {
			return fmt.Errorf("signing: the template name %q must be of a-z 0-9 _ -", name)
		}
		if !isName(suffix) {
			return fmt.Errorf("signing: the suffix %q of template %s must be of A-Z a-z 0-9 _ -", suffix, name)
		}
	}
	return nil
}

// newRenditions lists the bare protocols first, then those of each template, by
// its name: the same order on every node.
func newRenditions(c *PlayerConfig) []rendition {
	var list []rendition
	add := func(template, suffix string) {
		for _, proto := range c.Protocols {
			r := rendition{name: proto + Protocol(template), protocol: proto, template: suffix}
			if port := c.Ports[proto]; port != 0 {
				r.port = strconv.Itoa(port)
			}
			list = append(list, r)
		}
	}
	add("", "")
	for _, name := range slices.Sorted(maps.Keys(c.Templates)) {
		add("_"+name, c.Templates[name])
	}
	return list
}

// checkRenditions refuses protocols that are there twice or cannot be played.
func (p *Player) checkRenditions() error {
	seen := make(map[Protocol]bool)
	for _, r := range p.renditions {
		if seen[r.name] {
			return fmt.Errorf("signing: protocol %q is there twice", r.name)
		}
		seen[r.name] = true
		for i := range p.domains {
			res := Resource{Domain: "d", App: p.app, Stream: "code", Template: r.template, Protocol: r.protocol, Scheme: p.scheme}
			if len(p.domains[i].signer.AppendURL(nil, res, 0)) == 0 {
				return fmt.Errorf("signing: protocol %q has no play URLs at %s", r.name, p.domains[i].name)
			}
		}
	}
	return nil
}

// AppendURL appends the URL that plays code over proto until expires, in Unix
// milliseconds and as Expiry gave it. It appends nothing if p does not have
// proto. Every code has its domain, chosen by weight.
func (p *Player) AppendURL(dst []byte, proto Protocol, code string, expires int64) []byte {
	r := p.rendition(proto)
	if r == nil {
		return dst
	}
	d := p.domains.pick(code)
	res := Resource{
		Domain: d.name, App: p.app, Stream: code, Template: r.template,
		Protocol: r.protocol, Scheme: p.scheme, Port: r.port,
	}
	return d.signer.AppendURL(dst, res, expires/1000)
}

// Verify reports whether what was given lets somebody play a stream at now, in Unix
// seconds, as [Signer].Verify does: from any of the domains, for who asks does not
// say which. Of several errors it returns the one that says most.
func (p *Player) Verify(res Resource, given string, now int64) (err error) {
	protocols := []Protocol{res.Protocol}
	if res.Protocol == "" { // whatever the ending was
		protocols = []Protocol{RTMP, FLV, HLS}
	}
	for i := range p.domains {
		res.Domain = p.domains[i].name
		for _, res.Protocol = range protocols {
			switch e := p.domains[i].signer.Verify(res, given, now); {
			case e == nil:
				return nil
			case err == nil || telling(e) > telling(err):
				err = e
			}
		}
	}
	return err
}

// telling is higher the more of a signature was right.
func telling(err error) int {
	return slices.Index([]error{ErrMissing, ErrMalformed, ErrMismatch, ErrExpired}, err)
}

// Protocols returns what streams can be played over, in the order of the
// configuration, and then the same of each template, as in "flv_hd".
func (p *Player) Protocols() []Protocol {
	names := make([]Protocol, len(p.renditions))
	for i := range p.renditions {
		names[i] = p.renditions[i].name
	}
	return names
}

// Has reports whether proto is one of Protocols.
func (p *Player) Has(proto Protocol) bool { return p.rendition(proto) != nil }

// rendition returns the one of that name, or nil. There are a handful.
func (p *Player) rendition(name Protocol) *rendition {
	for i := range p.renditions {
		if p.renditions[i].name == name {
			return &p.renditions[i]
		}
	}
	return nil
}
