package config

import (
	"fmt"
	"io"
)

// Secret is a text that shows itself nowhere: not in logs, errors, JSON or
// YAML, by no verb of fmt. An empty one looks like any other.
type Secret string

// redacted stands where a secret would.
const redacted = "(secret)"

// Reveal gives the text itself, for whoever signs or checks with it.
func (s Secret) Reveal() string { return string(s) }

// String redacts.
func (Secret) String() string { return redacted }

// GoString redacts.
func (Secret) GoString() string { return redacted }

// Format redacts whatever the verb: one that does not fit a string, such as
// %d, would show the text if String were all there is.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts, for JSON, YAML and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
