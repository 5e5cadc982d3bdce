package signing

import (
	"crypto/md5" // the providers' choice, not ours
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// The providers that play recordings.
const (
	// Plain signs nothing: whoever has a URL can play it for ever.
	Plain = "plain"
	// TencentVOD is the key hotlink protection of Tencent Cloud VOD, see
	// https://cloud.tencent.com/document/product/266/14047:
	//
	//	sign = MD5(key + dir + t + us), in hex; dir is the path without the file's
	//	name, t the end in hexadecimal Unix seconds, us a text of the signer's
	TencentVOD = "tencent"
	// SecureLink is nginx's module of that name, see
	// https://nginx.org/en/docs/http/ngx_http_secure_link_module.html, set to
	//
	//	secure_link $arg_md5,$arg_expires;
	//	secure_link_md5 "$secure_link_expires$uri KEY";
	SecureLink = "secure_link"
)

// PlaybackConfig says where recordings are played from.
type PlaybackConfig struct {
	Provider string
	Key      string

	// Base is put before a path, and replaces scheme and host of a URL:
	// https://vod.example.com, or with a path of its own. Empty: recordings that
	// lie under a URL are played from there, others not at all.
	Base string

	// Root is what the paths of a media server's files begin with, and URLs do not.
	Root string
}

// Playback makes the URLs of recordings. It is safe for concurrent use.
type Playback struct {
	// Static after construction.
	sign func(p string, expires int64) string // the query for a path
	base *url.URL
	root string
}

// NewPlayback returns a Playback, or says what is wrong with its configuration.
func NewPlayback(c PlaybackConfig) (*Playback, error) {
	p := &Playback{root: strings.TrimSuffix(c.Root, "/")}
	if c.Root != "" && c.Root[0] != '/' {
		return nil, fmt.Errorf("signing: playback: the root %q does not begin with /", c.Root)
	}
	if c.Base != "" {
		u, err := url.Parse(strings.TrimSuffix(c.Base, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, errors.New("signing: playback: the domain is no http or https URL")
		}
		p.base = u
	}
	if c.Key == "" && c.Provider != Plain {
		return nil, errors.New("signing: playback: there is no key")
	}
	switch key := c.Key; c.Provider {
	case Plain:
		p.sign = func(string, int64) string { return "" }
	case TencentVOD:
		p.sign = func(at string, expires int64) string { return tencentVOD(key, at, expires) }
	case SecureLink:
		p.sign = func(at string, expires int64) string { return secureLink(key, at, expires) }
	default:
		return nil, fmt.Errorf("signing: playback: %q is no provider", c.Provider)
	}
	return p, nil
}

// ErrLocation is returned for a recording that cannot be played from where it lies.
var ErrLocation = errors.New("signing: no URL can be made of where this recording lies")

// URL returns what plays a recording until expires, in Unix seconds. Where it lies
// is the word of a provider: an http or https URL, or a path. It returns
// ErrLocation for anything else, and for paths that lead upwards.
func (p *Playback) URL(location string, expires int64) (string, error) {
	u := &url.URL{}
	if strings.HasPrefix(location, "/") {
		if p.base == nil || !strings.HasPrefix(location, p.root+"/") {
			return "", ErrLocation
		}
		u.Path = location[len(p.root):]
	} else {
		var err error
		if u, err = url.Parse(location); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return "", ErrLocation
		}
		if strings.Contains(strings.ToLower(u.RawPath), "%2f") {
			return "", ErrLocation // there is no telling how a CDN has that
		}
		if p.root != "" {
			return "", ErrLocation // files lie under the root, and nothing else is to be signed
		}
		// Only what can be told from the path is printed, for that is what is signed.
		u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	}
	if strings.ContainsFunc(u.Path, notInFile) || u.Path != path.Clean(u.Path) || u.Path == "/" || u.Path == "" || strings.HasSuffix(u.Path, "/") {
		return "", ErrLocation
	}
	if p.base != nil {
		u.Scheme, u.Host, u.Path = p.base.Scheme, p.base.Host, p.base.Path+u.Path
	}
	u.RawQuery = p.sign(u.Path, expires)
	return u.String(), nil
}

// notInFile reports control characters, and the one that some take for a slash.
func notInFile(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// secureLink signs the path as nginx has it in $uri: not escaped.
func secureLink(key, at string, expires int64) string {
	ends := strconv.FormatInt(expires, 10)
	sum := md5.Sum([]byte(ends + at + " " + key))
	return "md5=" + base64.RawURLEncoding.EncodeToString(sum[:]) + "&expires=" + ends
}

// tencentVOD makes us of the rest, so that a URL is a function of what it names.
func tencentVOD(key, at string, expires int64) string {
	dir := (&url.URL{Path: at[:strings.LastIndexByte(at, '/')+1]}).EscapedPath()
	t := strconv.FormatInt(expires, 16)
	us := fmt.Sprintf("%010x", mix(hash(at+t))&(1<<40-1))
	return "t=" + t + "&us=" + us + "&sign=" + tencentVODSign(key, dir, t, "", "", us)
}

// tencentVODSign is the formula: exper, the seconds of a trial, and rlimit, how many
// addresses may play, are empty where they are not in the URL.
func tencentVODSign(key, dir, t, exper, rlimit, us string) string {
	sum := md5.Sum([]byte(key + dir + t + exper + rlimit + us))
	return hex.EncodeToString(sum[:])
}
