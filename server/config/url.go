package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
)

// URL is the http or https URL of a service, or "" for none. User info and query may be
// credentials, so they are masked in logs, errors, JSON, YAML and for all verbs of fmt.
type URL string

// masked replaces credentials in a URL.
const masked = "xxxxx"

var errNoHTTPURL = errors.New("must be an http or https URL")

// parseOptionalURL parses a URL or nothing. Its error does not contain the text.
func parseOptionalURL(text string) (URL, error) {
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return "", errNoHTTPURL
	}
	return URL(text), nil
}

// Reveal returns the URL itself, to send requests to.
func (u URL) Reveal() string { return string(u) }

// String returns the URL without credentials.
func (u URL) String() string {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return redacted
	}
	if parsed.User != nil {
		parsed.User = url.User(masked)
	}
	if parsed.RawQuery != "" {
		parsed.RawQuery = masked
	}
	parsed.Fragment = ""
	return parsed.String()
}

// GoString returns the URL without credentials.
func (u URL) GoString() string { return u.String() }

// Format writes the URL without credentials for every verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// MarshalText returns the URL without credentials, for JSON, YAML and logs.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
