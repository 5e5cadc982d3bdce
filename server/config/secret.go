package config

import (
	"fmt"
	"io"
)

// Secret is a text that redacts itself in logs, errors, JSON, YAML and for all verbs
// of fmt. An empty one looks like any other.
type Secret string

const redacted = "(secret)"

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
