package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RedactedYAMLWithOrigins returns the configuration as a file with every key and a comment on the
// origin of each value: a source, "default" or "generated". Secrets are redacted
// and commented out.
func (c *Config) RedactedYAMLWithOrigins() []byte {
	var b strings.Builder
	for _, k := range keys {
		text, origin := c.redactedValue(k)
		line := fmt.Sprintf("%s: %q", k.name, text)
		if text == redacted || text == "" {
			line = strings.TrimSuffix(fmt.Sprintf("# %s: %s", k.name, text), " ")
		}
		fmt.Fprintf(&b, "%-60s # %s\n", line, origin)
	}
	return []byte(b.String())
}

// redactedValue returns the value of a key, without secrets and passwords, and its
// origin.
func (c *Config) redactedValue(k key) (text, origin string) {
	value := c.effective[k.name]
	text, origin = value.text, cmp.Or(value.origin, "default")
	switch {
	case slices.Contains(c.GeneratedSecrets, k.name):
		return redacted, "generated"
	case k.form&secret != 0 && text != "":
		return redacted, origin
	}
	text = cmp.Or(text, c.derivedValueText(k.name))
	if k.form&credential != 0 && k.form&list == 0 {
		text = URL(text).String()
	}
	return text, origin
}

// derivedValueText returns the value that an empty key was derived to.
func (c *Config) derivedValueText(keyName string) string {
	switch keyName {
	case "node":
		return c.Node
	case "heartbeat.grace":
		return c.Heartbeat.Grace.String()
	case "viewer.anonymous":
		return strconv.FormatBool(c.Viewer.Anonymous)
	}
	return ""
}

// WrapKeyError returns err with the name of the key, and with the origin of its value if
// any source set it.
func (c *Config) WrapKeyError(keyName string, err error) error {
	return c.effective.wrapKeyError(keyName, err)
}
