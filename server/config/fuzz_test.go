package config

import "testing"

// FuzzLoadFile: every file gives an error or a valid configuration, never a panic.
func FuzzLoadFile(f *testing.F) {
	f.Add("heartbeat:\n  interval: 1s\nlists: [a, b]\nplay.domain: {a: 1, b: 2}")
	f.Add(string(SampleYAML()))
	f.Add("a: &a [*a]")
	f.Add("auth:\n  secret: k\n  secrets: {k: v}")
	f.Add("auth.secret: *k")
	f.Add("idle: 1s\n---\nidle: 2s")
	f.Add("<<: {idle: 1s}")
	f.Fuzz(func(t *testing.T, text string) {
		values, errs := parseYAML("onair.yaml", []byte(text))
		for name, v := range values {
			k, ok := keyByName(name)
			if !ok {
				t.Fatalf("unknown key %q", name)
			}
			if k.form&fileForm != 0 && name != k.name {
				v.text = "none" // the fuzzer must not read files
				values[name] = v
			}
		}
		c, err := newConfig(values, errs)
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		if c != nil && (len(c.Auth.Secret) > 0 && len(c.Auth.Secret) < minAuthSecret || c.Heartbeat.Grace > c.Heartbeat.Interval ||
			len(c.Lists) == 0 || c.Limits.Rate <= 0 || c.Hub.Counters < c.Hub.Tick) {
			t.Fatalf("invalid configuration: %+v", c)
		}
	})
}
