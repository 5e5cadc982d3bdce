package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// TargetConfig is what a Target is made of. It holds secrets: never log it.
type TargetConfig struct {
	// URL is where events are sent to, http or https. A user and a password in
	// it are sent as Basic authentication.
	URL string

	// Secrets sign, each by a signature of its own: several while one takes the
	// place of another. Each is whsec_ and the base64 of 24 to 64 bytes.
	Secrets []string

	// Source is the CloudEvents attribute, a URI reference that is the same on
	// all nodes. Empty is "/onair".
	Source string
}

// Target is a back end that is told, and how it knows that it is us. It is
// immutable and may be used concurrently.
type Target struct {
	// Static after construction.
	url            func() *url.URL // functions: nothing that prints values looks into one
	keys           func() [][]byte
	sensitiveParts func() []string // what must not be shown, of the URL
	source         string
}

// NewTarget checks the configuration. It returns ErrBadSecret, wrapped, or
// another error; none repeats the URL or a secret.
func NewTarget(c TargetConfig) (*Target, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("webhooks: the URL is no http or https URL")
	}
	if len(c.Secrets) == 0 {
		return nil, errors.New("webhooks: there is no secret to sign with")
	}
	var keys [][]byte
	for i, text := range c.Secrets {
		key, err := parseSecret(text)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	source := cmp.Or(c.Source, "/onair")
	if _, err := url.Parse(source); err != nil {
		return nil, fmt.Errorf("webhooks: the source %q is no URI reference", source)
	}
	hidden := sensitiveURLParts(u)
	return &Target{
		url: func() *url.URL { return u }, keys: func() [][]byte { return keys }, sensitiveParts: func() []string { return hidden },
		source: source,
	}, nil
}

// sensitiveURLParts gives the parts of a URL in which people put passwords, which is all
// but the scheme and the host, the longest first. Very short ones are no
// passwords, and would be found everywhere.
func sensitiveURLParts(u *url.URL) (parts []string) {
	password, _ := u.User.Password()
	parts = []string{u.String(), u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.Fragment, u.User.String(), u.User.Username(), password}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	const least = 4
	parts = slices.DeleteFunc(parts, func(part string) bool { return len(part) < least })
	slices.SortFunc(parts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return parts
}

// redact takes out of a text what the URL holds beside the host.
func (t *Target) redact(text string) string {
	for _, part := range t.sensitiveParts() {
		text = strings.ReplaceAll(text, part, "…")
	}
	return text
}
