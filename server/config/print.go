package config

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Print returns the configuration as a file with every key and a comment on the
// origin of each value: a source, "default" or "generated". Secrets are redacted
// and commented out.
func (c *Config) Print() []byte {
	var b strings.Builder
	for _, k := range keys {
		text, origin := c.shownValue(k)
		line := fmt.Sprintf("%s: %q", k.name, text)
		if text == redacted || text == "" {
			line = strings.TrimSuffix(fmt.Sprintf("# %s: %s", k.name, text), " ")
		}
		fmt.Fprintf(&b, "%-60s # %s\n", line, origin)
	}
	return []byte(b.String())
}

// shownValue returns the value of a key, without secrets and passwords, and its
// origin.
func (c *Config) shownValue(k key) (text, origin string) {
	value := c.effective[k.name]
	text, origin = value.text, cmp.Or(value.origin, "default")
	switch {
	case slices.Contains(c.GeneratedSecrets, k.name):
		return redacted, "generated"
	case k.form&secret != 0 && text != "":
		return redacted, origin
	}
	text = cmp.Or(text, c.derivedText(k.name))
	if u, err := url.Parse(text); err == nil && u.User != nil {
		text = u.Redacted()
	}
	return text, origin
}

// derivedText returns the value that an empty key was derived to.
func (c *Config) derivedText(name string) string {
	switch name {
	case "node":
		return c.Node
	case "heartbeat.grace":
		return c.Heartbeat.Grace.String()
	case "viewer.anonymous":
		return strconv.FormatBool(c.Viewer.Anonymous)
	}
	return ""
}

// KeyError returns err with the name of the key, and with the origin of its value if
// any source set it.
func (c *Config) KeyError(name string, err error) error { return c.effective.keyError(name, err) }

// IsReloadable reports whether a reload applies a new value of a key, or the key needs a
// restart.
func IsReloadable(name string) bool {
	k, _ := keyByName(name)
	return k.form&reloadable != 0
}

// ChangedKeys lists the keys whose text differs. Values that are generated at each
// start do not count.
func ChangedKeys(before, after *Config) (names []string) {
	for _, k := range keys {
		if before.effective[k.name].text != after.effective[k.name].text {
			names = append(names, k.name)
		}
	}
	return names
}
