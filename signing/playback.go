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

// The providers of recordings' URLs.
const (
	// PlaybackPlain signs nothing: a URL plays for ever.
	PlaybackPlain = "plain"
	// PlaybackTencentVOD is the key hotlink protection of Tencent Cloud VOD, see
	// https://cloud.tencent.com/document/product/266/14047:
	//
	//	sign = MD5(key + dir + t + us), in hex; dir is the path without the file's
	//	name, t the expiry in hexadecimal Unix seconds, us a text of the signer's choice
	PlaybackTencentVOD = "tencent"
	// PlaybackSecureLink is nginx's module of that name, see
	// https://nginx.org/en/docs/http/ngx_http_secure_link_module.html, set to
	//
	//	secure_link $arg_md5,$arg_expires;
	//	secure_link_md5 "$secure_link_expires$uri KEY";
	PlaybackSecureLink = "secure_link"
)

// PlaybackSignerConfig is where recordings are played from.
type PlaybackSignerConfig struct {
	Provider string
	Key      string

	// BaseURL is put before a path, and replaces scheme and host of a URL:
	// https://vod.example.com, or with a path of its own. If it is empty, recordings
	// with a URL are played from there, and others not at all.
	BaseURL string

	// FileRoot is the directory of a media server's files, which their URLs lack.
	FileRoot string
}

// PlaybackSigner makes the URLs of recordings. It is safe for concurrent use.
type PlaybackSigner struct {
	// Static after construction.
	queryFor func(urlPath string, expiresUnix int64) string
	base     *url.URL // or nil
	fileRoot string
}

// NewPlaybackSigner returns an error when the configuration is invalid.
func NewPlaybackSigner(c PlaybackSignerConfig) (*PlaybackSigner, error) {
	s := &PlaybackSigner{fileRoot: strings.TrimSuffix(c.FileRoot, "/")}
	if c.FileRoot != "" && c.FileRoot[0] != '/' {
		return nil, fmt.Errorf("signing: invalid playback root %q: must begin with /", c.FileRoot)
	}
	if c.BaseURL != "" {
		base, err := url.Parse(strings.TrimSuffix(c.BaseURL, "/"))
		if err != nil || !isHTTPURLWithoutUser(base) || base.RawQuery != "" || base.Fragment != "" {
			return nil, errors.New("signing: invalid playback domain: must be an http or https URL")
		}
		s.base = base
	}
	if c.Key == "" && c.Provider != PlaybackPlain {
		return nil, errors.New("signing: the playback key is empty")
	}
	switch key := c.Key; c.Provider {
	case PlaybackPlain:
		s.queryFor = func(string, int64) string { return "" }
	case PlaybackTencentVOD:
		s.queryFor = func(urlPath string, expiresUnix int64) string { return tencentVODQuery(key, urlPath, expiresUnix) }
	case PlaybackSecureLink:
		s.queryFor = func(urlPath string, expiresUnix int64) string { return secureLinkQuery(key, urlPath, expiresUnix) }
	default:
		return nil, fmt.Errorf("signing: unknown playback provider %q", c.Provider)
	}
	return s, nil
}

// isHTTPURLWithoutUser reports whether u is an http or https URL with a host and no user.
func isHTTPURLWithoutUser(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil
}

// ErrUnplayableLocation is returned when no URL can be made of a recording's location.
var ErrUnplayableLocation = errors.New("signing: no URL can be made of the recording's location")

// URL returns the URL that plays a recording until expiresUnix (Unix seconds). Its
// location comes from a provider: an http or https URL, or the path of a file. It
// returns ErrUnplayableLocation for anything else, and for paths that lead upwards.
func (s *PlaybackSigner) URL(location string, expiresUnix int64) (string, error) {
	u, ok := s.locationURLWithoutBase(location)
	if !ok || strings.ContainsFunc(u.Path, isForbiddenInFilePath) || u.Path != path.Clean(u.Path) || u.Path == "/" || u.Path == "" || strings.HasSuffix(u.Path, "/") {
		return "", ErrUnplayableLocation
	}
	if s.base != nil {
		u.Scheme, u.Host, u.Path = s.base.Scheme, s.base.Host, s.base.Path+u.Path
	}
	u.RawQuery = s.queryFor(u.Path, expiresUnix)
	return u.String(), nil
}

// locationURLWithoutBase returns the URL of a location without its query, before the base is
// applied. For a file it has a path only.
func (s *PlaybackSigner) locationURLWithoutBase(location string) (u *url.URL, ok bool) {
	if strings.HasPrefix(location, "/") {
		return &url.URL{Path: strings.TrimPrefix(location, s.fileRoot)}, s.base != nil && strings.HasPrefix(location, s.fileRoot+"/")
	}
	u, err := url.Parse(location)
	switch {
	case err != nil || !isHTTPURLWithoutUser(u):
		return nil, false
	case strings.Contains(strings.ToLower(u.RawPath), "%2f"): // CDNs read it in different ways
		return nil, false
	case s.fileRoot != "": // only files under the root may be signed
		return nil, false
	}
	// The path is signed, so the URL prints nothing else.
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, true
}

// isForbiddenInFilePath reports control characters, and the backslash, which some servers
// read as a slash.
func isForbiddenInFilePath(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// secureLinkQuery signs the path as nginx has it in $uri: not escaped.
func secureLinkQuery(key, urlPath string, expiresUnix int64) string {
	expires := strconv.FormatInt(expiresUnix, 10)
	sum := md5.Sum([]byte(expires + urlPath + " " + key))
	return "md5=" + base64.RawURLEncoding.EncodeToString(sum[:]) + "&expires=" + expires
}

// tencentVODQuery hashes us from path and expiry, so that all nodes make the same
// URL.
func tencentVODQuery(key, urlPath string, expiresUnix int64) string {
	dir := (&url.URL{Path: urlPath[:strings.LastIndexByte(urlPath, '/')+1]}).EscapedPath()
	t := strconv.FormatInt(expiresUnix, 16)
	us := fmt.Sprintf("%010x", mixBits(fnv1a(urlPath+t))&(1<<40-1))
	return "t=" + t + "&us=" + us + "&sign=" + tencentVODSign(key, dir, t, "", "", us)
}

// tencentVODSign is the formula: exper, the seconds of a trial, and rlimit, the number
// of addresses that may play, are empty where the URL lacks them.
func tencentVODSign(key, dir, t, exper, rlimit, us string) (sign string) {
	sum := md5.Sum([]byte(key + dir + t + exper + rlimit + us))
	return hex.EncodeToString(sum[:])
}
