package config

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"time"
)

// complete fills in what depends on other keys, or on this machine.
func (a *audit) complete() {
	if a.Node == "" {
		a.Node = hostName() + "-" + random(4)
	}
	if a.values["heartbeat.grace"].text == "" {
		a.Heartbeat.Grace = min(a.Heartbeat.Interval/10, 5*time.Second)
	}
	a.Push.Domain = strings.ReplaceAll(a.Push.Domain, "{bizid}", a.BizID)
	for i := range a.Play.Domains {
		a.Play.Domains[i].Name = strings.ReplaceAll(a.Play.Domains[i].Name, "{bizid}", a.BizID)
	}
	a.Play.Providers, a.Play.Deltas = byDomain(a.Play.Providers, a.BizID), byDomain(a.Play.Deltas, a.BizID)
	a.Play.Keys, a.Play.BackupKeys = byDomain(a.Play.Keys, a.BizID), byDomain(a.Play.BackupKeys, a.BizID)
	a.develop()
}

// byDomain writes the names of domains out, as play.domain's are.
func byDomain[V any](m map[string]V, bizid string) map[string]V {
	if m == nil {
		return nil
	}
	out := make(map[string]V, len(m))
	for name, v := range m {
		out[strings.ReplaceAll(name, "{bizid}", bizid)] = v
	}
	return out
}

// develop makes up the secrets that nobody gave.
func (c *Config) develop() {
	if c.Auth.Secret == "" && len(c.Auth.Secrets) == 0 && c.Auth.JWKSURL == "" && c.Auth.PublicKey == "" {
		c.Auth.Secret = Secret(random(32))
		c.Development = append(c.Development, "auth.secret")
	}
	if c.Push.Key == "" && c.Push.Provider != "none" {
		c.Push.Key = Secret(random(16))
		c.Development = append(c.Development, "push.key")
	}
	if c.Play.Key == "" && c.playNeedsKey() {
		c.Play.Key = Secret(random(16))
		c.Development = append(c.Development, "play.key")
	}
	if c.CodeKey == "" && strings.Contains(c.Code, "{anchor_hash}") {
		c.CodeKey = Secret(random(16))
		c.Development = append(c.Development, "code_key")
	}
}

// playNeedsKey reports whether a play domain is signed for with play.key.
func (c *Config) playNeedsKey() bool {
	for _, d := range c.Play.Domains {
		if s := c.Play.Signer(d.Name); s.Key == "" && s.Provider != "none" {
			return true
		}
	}
	return false
}

// random is n random bytes in hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// hostName is the name of this machine, for the node's own.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
