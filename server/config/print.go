package config

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Setting is one key with its value and where that came from.
type Setting struct {
	Name  string
	Value string // a secret is redacted, an empty one is empty
	Where string // a flag, a variable, a file, "default", or "made up"
}

// Explain gives all keys with what counts for them, those of the defaults
// included.
func (c *Config) Explain() []Setting {
	out := make([]Setting, 0, len(keys))
	for _, k := range keys {
		s := Setting{Name: k.name, Value: c.read[k.name].text, Where: cmp.Or(c.read[k.name].where, "default")}
		switch {
		case slices.Contains(c.Development, k.name):
			s.Value, s.Where = redacted, "made up"
		case k.form&hidden != 0 && s.Value != "":
			s.Value = redacted
		}
		if s.Value == "" {
			s.Value = c.derived(k.name)
		}
		if u, err := url.Parse(s.Value); err == nil && u.User != nil {
			s.Value = u.Redacted() // its password
		}
		out = append(out, s)
	}
	return out
}

// Where names a key as messages do: where its value came from, if anybody gave it,
// and its name.
func (c *Config) Where(name string) string { return c.read.where(name) }

// derived is what an empty key comes to.
func (c *Config) derived(name string) string {
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

// Print writes the settings as a configuration file, each with its source.
// Secrets are commented out.
func (c *Config) Print() []byte {
	var b strings.Builder
	for _, s := range c.Explain() {
		line := fmt.Sprintf("%s: %q", s.Name, s.Value)
		if s.Value == redacted || s.Value == "" {
			line = strings.TrimSuffix(fmt.Sprintf("# %s: %s", s.Name, s.Value), " ")
		}
		fmt.Fprintf(&b, "%-60s # %s\n", line, s.Where)
	}
	return []byte(b.String())
}

// Changed names the keys whose values differ, those that were made up or
// drawn for each start not among them.
func Changed(was, is *Config) (names []string) {
	for _, k := range keys {
		if was.read[k.name].text != is.read[k.name].text {
			names = append(names, k.name)
		}
	}
	return names
}
