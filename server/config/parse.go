package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"onair/signing"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
)

// parser parses the text of one key into a configuration. Its error says what the
// text must be, and does not repeat it.
type parser = func(c *Config, text string) error

func stringField(field func(*Config) *string) parser {
	return func(c *Config, text string) error { *field(c) = text; return nil }
}

func secretField(field func(*Config) *Secret) parser {
	return func(c *Config, text string) error { *field(c) = Secret(text); return nil }
}

// listField parses a list without duplicates. Each part is one of choices, if there
// are any.
func listField(field func(*Config) *[]string, choices ...string) parser {
	return func(c *Config, text string) error {
		parts := splitList(text)
		for i, part := range parts {
			if slices.Contains(parts[:i], part) {
				return fmt.Errorf("%q occurs twice", part)
			}
			if len(choices) > 0 && !slices.Contains(choices, part) {
				return fmt.Errorf("%q must be one of %s", part, strings.Join(choices, ", "))
			}
		}
		*field(c) = parts
		return nil
	}
}

// choiceField parses one of choices. An empty choice comes first.
func choiceField(field func(*Config) *string, choices ...string) parser {
	return func(c *Config, text string) error {
		if !slices.Contains(choices, text) {
			return fmt.Errorf("must be one of %s", strings.TrimPrefix(strings.Join(choices, ", "), ", "))
		}
		*field(c) = text
		return nil
	}
}

// skipEmpty skips an empty text, for a value that is derived later.
func skipEmpty(parse parser) parser {
	return func(c *Config, text string) error {
		if text == "" {
			return nil
		}
		return parse(c, text)
	}
}

func durationField(field func(*Config) *time.Duration) parser {
	return func(c *Config, text string) (err error) {
		*field(c), err = parseDuration(text)
		return err
	}
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("must be a duration, for example 60s")
	}
	if d < 0 {
		return 0, errors.New("must not be negative")
	}
	return d, nil
}

// positiveIntField parses a whole number from 1 on.
func positiveIntField[T int | int64](field func(*Config) *T) parser {
	return func(c *Config, text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || int64(T(n)) != n:
			return errors.New("must be a whole number")
		case n < 1:
			return errors.New("must be at least 1")
		}
		*field(c) = T(n)
		return nil
	}
}

func positiveFloatField(field func(*Config) *float64) parser {
	return func(c *Config, text string) error {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n > 0) || math.IsInf(n, 0) {
			return errors.New("must be a number above 0")
		}
		*field(c) = n
		return nil
	}
}

// rateField parses a number per second.
func rateField(field func(*Config) *float64) parser {
	return func(c *Config, text string) error {
		perSecond, ok := strings.CutSuffix(text, "/s")
		if !ok || positiveFloatField(field)(c, perSecond) != nil {
			return errors.New("must be a rate, for example 1/s")
		}
		return nil
	}
}

func byteSizeField(field func(*Config) *int) parser {
	return func(c *Config, text string) error {
		n, err := humanize.ParseBytes(text)
		if err != nil || n < 1 || n > 1<<30 {
			return errors.New("must be a size up to 1GiB, for example 16KiB")
		}
		*field(c) = int(n)
		return nil
	}
}

// urlField parses the URL of a service, or nothing.
func urlField(field func(*Config) *string) parser {
	return func(c *Config, text string) error {
		if text != "" && !isHTTPURL(text) {
			return errNoHTTPURL
		}
		*field(c) = text
		return nil
	}
}

var errNoHTTPURL = errors.New("must be an http or https URL")

func isHTTPURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// patternsField parses patterns for path.Match.
func patternsField(field func(*Config) *[]string) parser {
	return func(c *Config, text string) error {
		if err := listField(field)(c, text); err != nil {
			return err
		}
		for _, pattern := range *field(c) {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("%q must be a pattern, for example *.example.com", pattern)
			}
		}
		return nil
	}
}

// networksField parses networks. An address is a network of one address.
func networksField(field func(*Config) *[]netip.Prefix) parser {
	return func(c *Config, text string) error {
		var networks []netip.Prefix
		for _, part := range splitList(text) {
			network, err := netip.ParsePrefix(part)
			if address, addressErr := netip.ParseAddr(part); addressErr == nil && address.Zone() == "" {
				network, err = address.Prefix(address.BitLen())
			}
			if err != nil {
				return fmt.Errorf("%q must be a network, for example 10.0.0.0/8", part)
			}
			networks = append(networks, network.Masked())
		}
		*field(c) = networks
		return nil
	}
}

func boolField(field func(*Config) *bool) parser {
	return func(c *Config, text string) error {
		if text != "true" && text != "false" {
			return errors.New("must be true or false")
		}
		*field(c) = text == "true"
		return nil
	}
}

// mapField parses a list of name=value. No pairs are a nil map.
func mapField[V any](field func(*Config) *map[string]V, parseValue func(name, text string) (V, error)) parser {
	return func(c *Config, text string) error {
		texts, err := splitPairs(text)
		if err != nil || len(texts) == 0 {
			return err
		}
		values := make(map[string]V, len(texts))
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			if values[name], err = parseValue(name, texts[name]); err != nil {
				return err
			}
		}
		*field(c) = values
		return nil
	}
}

func secretMapField(field func(*Config) *map[string]Secret) parser {
	return mapField(field, func(_, text string) (Secret, error) { return Secret(text), nil })
}

func parseLogLevel(c *Config, text string) error {
	if err := choiceField(func(*Config) *string { return &text }, "debug", "info", "warn", "error")(c, text); err != nil {
		return err
	}
	level, err := zerolog.ParseLevel(text)
	c.Log.Level = level
	return err
}

func parseRedisDB(c *Config, text string) (err error) {
	if c.Redis.DB, err = strconv.Atoi(text); err != nil || c.Redis.DB < 0 {
		return errors.New("must be a whole number from 0 on")
	}
	return nil
}

func parseVODAppID(c *Config, text string) error {
	c.Cloud.VODAppID = 0
	return skipEmpty(positiveIntField(func(c *Config) *int64 { return &c.Cloud.VODAppID }))(c, text)
}

func parseWebhookSecrets(c *Config, text string) error {
	c.Webhooks.Secrets = nil
	for _, part := range splitList(text) {
		c.Webhooks.Secrets = append(c.Webhooks.Secrets, Secret(part))
	}
	return nil
}

func parseTemplateSuffix(name, suffix string) (string, error) {
	if !isURLSafe(name) || strings.ToLower(name) != name {
		return "", fmt.Errorf("the name %q must consist of a-z 0-9 _ -", name)
	}
	if !isURLSafe(suffix) {
		return "", fmt.Errorf("the suffix %q of %s must consist of A-Z a-z 0-9 _ -", suffix, name)
	}
	return suffix, nil
}

func parseProtocolPort(protocol, text string) (port int, err error) {
	if !slices.Contains(playProtocols, protocol) {
		return 0, fmt.Errorf("%q must be one of %s", protocol, strings.Join(playProtocols, ", "))
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the port %q of %s must be from 1 to 65535", text, protocol)
	}
	return int(n), nil
}

func parseDomainProvider(domain, provider string) (string, error) {
	if !slices.Contains(signing.Providers(), provider) {
		return "", fmt.Errorf("the provider %q of %s must be one of %s", provider, domain, strings.Join(signing.Providers(), ", "))
	}
	return provider, nil
}

func parseDomainDelta(domain, text string) (delta time.Duration, err error) {
	if delta, err = parseDuration(text); err != nil {
		err = fmt.Errorf("%q of %s %w", text, domain, err)
	}
	return delta, err
}

// maxDomainWeight is the largest weight of a play domain, signing.MaxDomainWeight.
const maxDomainWeight = 1000

func parsePlayDomains(c *Config, text string) error {
	var domains []WeightedDomain
	for _, part := range splitList(text) {
		name, weightText, hasWeight := strings.Cut(part, "=")
		d := WeightedDomain{Name: name, Weight: 1}
		if hasWeight {
			var err error
			if d.Weight, err = strconv.Atoi(weightText); err != nil || d.Weight < 1 || d.Weight > maxDomainWeight {
				return fmt.Errorf("the weight of %s must be from 1 to %d", cmp.Or(name, part), maxDomainWeight)
			}
		}
		if slices.ContainsFunc(domains, func(other WeightedDomain) bool { return other.Name == name }) {
			return fmt.Errorf("%q occurs twice", name)
		}
		domains = append(domains, d)
	}
	if len(domains) == 0 {
		return errors.New("must have at least one domain")
	}
	c.Play.Domains = domains
	return nil
}

// splitList splits a comma-separated list and omits empty parts.
func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// splitPairs splits a comma-separated list of name=value. It rejects a value of = alone:
// then the name is missing before a value in base64.
func splitPairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, part := range splitList(text) {
		name, value, _ := strings.Cut(part, "=")
		if _, exists := pairs[name]; exists || name == "" || strings.Trim(value, "=") == "" {
			return nil, errors.New("must be a list of name=value with different names")
		}
		pairs[name] = value
	}
	return pairs, nil
}

// isURLSafe reports whether s needs no escape in a live code and in a URL.
func isURLSafe(s string) bool { return s != "" && !strings.ContainsFunc(s, isNotURLSafeRune) }

func isNotURLSafeRune(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
