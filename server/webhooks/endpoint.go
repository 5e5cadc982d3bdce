package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// EndpointConfig configures an Endpoint. It contains secrets: never log it.
type EndpointConfig struct {
	// URL is the endpoint, http or https. A user and a password in it are sent as Basic
	// authentication.
	URL string

	// Secrets sign events, each with its own signature: set two during a rotation. Each
	// is whsec_ and the base64 of 24 to 64 bytes.
	Secrets []string
}

// Endpoint is the URL of the back end and the secrets for it. It is immutable and safe for
// concurrent use.
type Endpoint struct {
	// Static after construction.
	url            func() *url.URL // functions, so that no formatting prints secrets
	keys           func() [][]byte
	sensitiveParts func() []string // of the URL, for redact
}

// NewEndpoint returns ErrBadSecret, wrapped, or another error for an invalid
// configuration. No error contains the URL or a secret.
func NewEndpoint(c EndpointConfig) (*Endpoint, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("webhooks: the URL must be http or https")
	}
	if len(c.Secrets) == 0 {
		return nil, errors.New("webhooks: a secret is required")
	}
	var keys [][]byte
	for i, text := range c.Secrets {
		key, err := parseSecret(text)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	hidden := sensitiveURLParts(u)
	return &Endpoint{
		url: func() *url.URL { return u }, keys: func() [][]byte { return keys }, sensitiveParts: func() []string { return hidden },
	}, nil
}

// sensitiveURLParts returns the parts of a URL that may contain passwords, which are all
// except scheme and host, the longest first. It omits very short parts, which would match
// everywhere.
func sensitiveURLParts(u *url.URL) (parts []string) {
	password, _ := u.User.Password()
	parts = []string{u.String(), u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.Fragment, u.User.String(), u.User.Username(), password}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	const minLength = 4
	parts = slices.DeleteFunc(parts, func(part string) bool { return len(part) < minLength })
	slices.SortFunc(parts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return parts
}

// redact replaces the sensitive parts of the URL in a text.
func (t *Endpoint) redact(text string) string {
	for _, part := range t.sensitiveParts() {
		text = strings.ReplaceAll(text, part, "…")
	}
	return text
}
