package config

import "testing"

// FuzzLoadFile: any file gives an error or a valid configuration, never a
// panic.
func FuzzLoadFile(f *testing.F) {
	f.Add("heartbeat:\n  interval: 1s\nlists: [a, b]\nplay.domain: {a: 1, b: 2}")
	f.Add(string(Sample()))
	f.Add("a: &a [*a]")
	f.Add("auth:\n  secret: k\n  secrets: {k: v}")
	f.Add("auth.secret: *k")
	f.Add("idle: 1s\n---\nidle: 2s")
	f.Add("<<: {idle: 1s}")
	f.Fuzz(func(t *testing.T, text string) {
		values := source{}
		faults := fromYAML(values, "onair.yaml", []byte(text))
		for name, v := range values {
			k, ok := find(name)
			if !ok {
				t.Fatalf("%q is no key", name)
			}
			if k.form&inFile != 0 && name != k.name {
				v.text = "none" // whatever file a fuzzer may find
				values[name] = v
			}
		}
		c, err := values.config(faults)
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		if c != nil && (len(c.Auth.Secret) > 0 && len(c.Auth.Secret) < minSecret || c.Heartbeat.Grace > c.Heartbeat.Interval ||
			len(c.Lists) == 0 || c.Limits.Rate <= 0 || c.Hub.Counters < c.Hub.Tick) {
			t.Fatalf("it is not valid: %+v", c)
		}
	})
}
