package config

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// deriveValues sets the values that depend on other keys or on this machine, and
// generates missing secrets.
func (v *validation) deriveValues() {
	if v.Node == "" {
		v.Node = hostNameOrDefault() + "-" + randomHex(4)
	}
	if v.values["heartbeat.grace"].text == "" {
		v.Heartbeat.Grace = min(v.Heartbeat.Interval/10, 5*time.Second)
	}
	v.Push.Domain = strings.ReplaceAll(v.Push.Domain, "{bizid}", v.BizID)
	for i := range v.Play.Domains {
		v.Play.Domains[i].Name = strings.ReplaceAll(v.Play.Domains[i].Name, "{bizid}", v.BizID)
	}
	v.Play.Providers, v.Play.Deltas = expandBizIDInDomains(v.Play.Providers, v.BizID), expandBizIDInDomains(v.Play.Deltas, v.BizID)
	v.Play.Keys, v.Play.BackupKeys = expandBizIDInDomains(v.Play.Keys, v.BizID), expandBizIDInDomains(v.Play.BackupKeys, v.BizID)
	v.generateMissingSecrets()
	if v.values["viewer.anonymous"].text == "" {
		v.Viewer.Anonymous = slices.Contains(v.GeneratedSecrets, "auth.secret")
	}
}

// expandBizIDInDomains returns a map by domain with {bizid} replaced in the domains.
func expandBizIDInDomains[V any](byDomain map[string]V, bizid string) map[string]V {
	if byDomain == nil {
		return nil
	}
	expanded := make(map[string]V, len(byDomain))
	for domain, value := range byDomain {
		expanded[strings.ReplaceAll(domain, "{bizid}", bizid)] = value
	}
	return expanded
}

// generateMissingSecrets generates the required secrets that no source set.
func (c *Config) generateMissingSecrets() {
	a := &c.Auth
	for _, s := range []struct {
		key     string
		secret  *Secret
		bytes   int
		missing bool
	}{
		{"auth.secret", &a.Secret, 32, a.Secret == "" && len(a.Secrets) == 0 && a.JWKSURL == "" && a.PublicKey == ""},
		{"push.key", &c.Push.Key, 16, c.Push.Key == "" && c.Push.Provider != "none"},
		{"play.key", &c.Play.Key, 16, c.Play.Key == "" && c.needsDefaultPlayKey()},
		{"code_key", &c.CodeKey, 16, c.CodeKey == "" && strings.Contains(c.Code, "{anchor_hash}")},
	} {
		if s.missing {
			*s.secret = Secret(randomHex(s.bytes))
			c.GeneratedSecrets = append(c.GeneratedSecrets, s.key)
		}
	}
}

// productionKeys are the keys that a server in production is given.
var productionKeys = []string{
	"auth.secret", "auth.secrets", "auth.public_key", "auth.jwks_url", "push.key", "play.key", "play.keys", "code_key",
}

// CheckGeneratedSecrets returns an error if secrets were generated although a source set others:
// a server that was given a key is no trial, and must not serve with made-up ones.
func (c *Config) CheckGeneratedSecrets() error {
	isSet := func(keyName string) bool { return c.effective[keyName].text != "" }
	if i := slices.IndexFunc(productionKeys, isSet); i >= 0 && len(c.GeneratedSecrets) > 0 {
		return fmt.Errorf("%s: must be set, because %s is: keys are generated only if none is set",
			strings.Join(c.GeneratedSecrets, ", "), productionKeys[i])
	}
	return nil
}

// needsDefaultPlayKey reports whether a play domain has no key of its own and needs one.
func (c *Config) needsDefaultPlayKey() bool {
	return slices.ContainsFunc(c.Play.Domains, func(d WeightedDomain) bool {
		s := c.Play.SignerConfig(d.Name)
		return s.Key == "" && s.Provider != "none"
	})
}

// randomHex returns random bytes as hexadecimal digits.
func randomHex(byteCount int) string {
	b := make([]byte, byteCount)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// hostNameOrDefault returns the name of this machine, or "node".
func hostNameOrDefault() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
