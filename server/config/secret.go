package config

// Secret is a text that shows itself nowhere: not in logs, errors or JSON.
type Secret string

// redacted stands where a secret would.
const redacted = "(secret)"

// Reveal gives the text itself, for whoever signs or checks with it.
func (s Secret) Reveal() string { return string(s) }

// String redacts.
func (Secret) String() string { return redacted }

// GoString redacts.
func (Secret) GoString() string { return redacted }

// MarshalText redacts, for JSON, YAML and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
