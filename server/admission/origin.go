package admission

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// IsAllowedOrigin reports whether a page of this origin may act: one of the patterns matches it.
// A pattern is null (pages of files and in sandboxes), or is compared with the origin if it has a
// scheme, otherwise with its host. Default ports do not count, nor does case: the configuration
// has patterns in lower case and without default ports.
func IsAllowedOrigin(origin string, patterns []string) bool {
	if origin == "null" {
		return slices.Contains(patterns, "null") || slices.Contains(patterns, "*")
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := hostWithoutDefaultPort(u.Scheme, u.Host)
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		name := host
		if strings.Contains(pattern, "://") {
			name = u.Scheme + "://" + host
		}
		matches, _ := path.Match(pattern, name) // the configuration checks patterns
		return matches
	})
}

// IsAllowedPage reports whether the page that makes a request may act: it has the server's own
// origin or an allowed one, or there is no page, as in native apps.
func IsAllowedPage(r *http.Request, patterns []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || IsAllowedOrigin(origin, patterns) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && hostWithoutDefaultPort(u.Scheme, u.Host) == hostWithoutDefaultPort(u.Scheme, r.Host)
}

// hostWithoutDefaultPort returns a host in lower case, without the port if it is the default one
// of the scheme.
func hostWithoutDefaultPort(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}
