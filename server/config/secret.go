package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Secret is a text that redacts itself in logs, errors, JSON, YAML and for all verbs
// of fmt. An empty one looks like any other.
type Secret string

const redacted = "(secret)"

// parseSecret returns a secret without what an editor, a shell or a copy adds around it: blanks,
// line breaks and a byte order mark. An error is returned for quotes around it, for characters
// inside that cannot be seen, and for a text that is not UTF-8: nobody would find out why
// signatures differ.
func parseSecret(text string) (Secret, error) {
	text = strings.TrimFunc(text, isInvisible)
	switch {
	case !utf8.ValidString(text):
		return "", errors.New("must be UTF-8 text: write binary keys in hexadecimal or base64 digits")
	case len(text) > 1 && text[0] == text[len(text)-1] && strings.Contains("\"'`", text[:1]):
		return "", errors.New("must not be in quotes: they would be a part of the key")
	case strings.ContainsFunc(text, func(r rune) bool { return r != ' ' && (isInvisible(r) || unicode.IsControl(r)) }):
		return "", errors.New("must be one line without invisible characters")
	}
	return Secret(text), nil
}

// isInvisible reports whether a character shows nothing: white space, or a format character
// such as U+FEFF, the byte order mark.
func isInvisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// Reveal returns the text itself, to sign or verify with it.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder.
func (Secret) String() string { return redacted }

// GoString returns a placeholder.
func (Secret) GoString() string { return redacted }

// Format writes a placeholder for every verb: with String alone, a verb that does not
// fit a string, such as %d, would show the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns a placeholder, for JSON, YAML and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
