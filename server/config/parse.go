package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"onair/signing"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
)

// field is where a configuration has the value of one key, and what its text means.
type field struct {
	parse func(dst *Config, text string) error // after an error the value is undefined
	copy  func(dst, src *Config)
}

// fieldOf returns the field at valueOf. The error of parse says what the text must be, and
// does not repeat it.
func fieldOf[T any](valueOf func(*Config) *T, parse func(text string) (T, error)) field {
	return field{
		parse: func(dst *Config, text string) (err error) {
			*valueOf(dst), err = parse(text)
			return err
		},
		copy: func(dst, src *Config) { *valueOf(dst) = *valueOf(src) },
	}
}

// optional parses an empty text as the zero value, for values that are derived later.
func optional[T any](parse func(text string) (T, error)) func(text string) (T, error) {
	return func(text string) (value T, err error) {
		if text == "" {
			return value, nil
		}
		return parse(text)
	}
}

func atLeast[T cmp.Ordered](minimum T, parse func(text string) (T, error)) func(text string) (T, error) {
	return func(text string) (T, error) {
		value, err := parse(text)
		if err == nil && value < minimum {
			err = fmt.Errorf("must be at least %v", minimum)
		}
		return value, err
	}
}

func atMost[T cmp.Ordered](maximum T, parse func(text string) (T, error)) func(text string) (T, error) {
	return func(text string) (T, error) {
		value, err := parse(text)
		if err == nil && value > maximum {
			err = fmt.Errorf("must be at most %v", maximum)
		}
		return value, err
	}
}

func parseString(text string) (string, error) { return text, nil }

func parseNamedSecret(_, text string) (Secret, error) { return parseSecret(text) }

func parseSecrets(text string) (secrets []Secret, err error) {
	for _, part := range splitList(text) {
		secret, err := parseSecret(part)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// parseName parses a part of a live code or of a path.
func parseName(text string) (string, error) {
	if !signing.IsName(text) {
		return "", errors.New(wordRule)
	}
	return text, nil
}

// listOf parses a list without duplicates. Each part is one of choices, if there are any.
func listOf(choices ...string) func(text string) ([]string, error) {
	return func(text string) ([]string, error) {
		parts := splitList(text)
		for i, part := range parts {
			if slices.Contains(parts[:i], part) {
				return nil, fmt.Errorf("%q occurs twice", part)
			}
			if len(choices) > 0 && !slices.Contains(choices, part) {
				return nil, fmt.Errorf("%q must be one of %s", part, strings.Join(choices, ", "))
			}
		}
		return parts, nil
	}
}

// oneOf parses one of choices. An empty choice comes first.
func oneOf(choices ...string) func(text string) (string, error) {
	return func(text string) (string, error) {
		if !slices.Contains(choices, text) {
			return "", fmt.Errorf("must be one of %s", strings.TrimPrefix(strings.Join(choices, ", "), ", "))
		}
		return text, nil
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

// parsePositiveInt parses a whole number from 1 on.
func parsePositiveInt[T int | int64](text string) (T, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || int64(T(n)) != n:
		return 0, errors.New("must be a whole number")
	case n < 1:
		return 0, errors.New("must be at least 1")
	}
	return T(n), nil
}

func parsePositiveFloat(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return 0, errors.New("must be a number above 0")
	}
	return n, nil
}

func parsePerSecondRate(text string) (perSecond float64, err error) {
	number, isRate := strings.CutSuffix(text, "/s")
	if perSecond, err = parsePositiveFloat(number); err != nil || !isRate {
		return 0, errors.New("must be a rate, for example 1/s")
	}
	return perSecond, nil
}

func parseByteSize(text string) (byteCount int, err error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, errors.New("must be a size up to 1GiB, for example 16KiB")
	}
	return int(n), nil
}

func parseHostPort(text string) (string, error) {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", errors.New("must be host:port")
	}
	return text, nil
}

// parseOrigins parses patterns of origins: null, SCHEME://HOST or HOST, with a port if it is not
// the default one. It returns them in lower case, without default ports.
func parseOrigins(text string) (patterns []string, err error) {
	if patterns, err = listOf()(strings.ToLower(text)); err != nil {
		return nil, err
	}
	for i, pattern := range patterns {
		scheme, host, hasScheme := strings.Cut(pattern, "://")
		if !hasScheme {
			host = pattern
		}
		_, patternErr := path.Match(pattern, "")
		switch {
		case strings.ContainsAny(host, "/@"):
			return nil, fmt.Errorf("%q must be an origin: without a path, and without a slash at the end", pattern)
		case patternErr != nil, hasScheme && scheme == "", host == "" && scheme != "file":
			return nil, fmt.Errorf("%q must be an origin, for example https://app.example.com or *.example.com", pattern)
		case scheme == "https":
			patterns[i] = strings.TrimSuffix(pattern, ":443")
		case scheme == "http":
			patterns[i] = strings.TrimSuffix(pattern, ":80")
		}
	}
	return patterns, nil
}

// parseNetworks parses networks. An address is a network of one address.
func parseNetworks(text string) (networks []netip.Prefix, err error) {
	for _, part := range splitList(text) {
		network, err := netip.ParsePrefix(part)
		if address, addressErr := netip.ParseAddr(part); addressErr == nil && address.Zone() == "" {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q must be a network, for example 10.0.0.0/8", part)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errors.New("must be true or false")
	}
	return text == "true", nil
}

// mapOf parses a list of name=value. No pairs are a nil map.
func mapOf[V any](parseValue func(name, text string) (V, error)) func(text string) (map[string]V, error) {
	return func(text string) (map[string]V, error) {
		texts, err := splitPairs(text)
		if err != nil || len(texts) == 0 {
			return nil, err
		}
		values := make(map[string]V, len(texts))
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			if values[name], err = parseValue(name, texts[name]); err != nil {
				return nil, err
			}
		}
		return values, nil
	}
}

func parseLogLevel(text string) (zerolog.Level, error) {
	if _, err := oneOf("debug", "info", "warn", "error")(text); err != nil {
		return 0, err
	}
	return zerolog.ParseLevel(text)
}

func parseDatabaseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errors.New("must be a whole number from 0 on")
	}
	return n, nil
}

func parseTemplateSuffix(name, suffix string) (string, error) {
	if !signing.IsName(name) || strings.ToLower(name) != name {
		return "", fmt.Errorf("the name %q must consist of a-z 0-9 _ -", name)
	}
	if !signing.IsName(suffix) {
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

func parseWeightedDomains(text string) (domains []WeightedDomain, err error) {
	for _, part := range splitList(text) {
		name, weightText, hasWeight := strings.Cut(part, "=")
		d := WeightedDomain{Name: name, Weight: 1}
		if hasWeight {
			if d.Weight, err = strconv.Atoi(weightText); err != nil || d.Weight < 1 || d.Weight > signing.MaxDomainWeight {
				return nil, fmt.Errorf("the weight of %s must be from 1 to %d", cmp.Or(name, part), signing.MaxDomainWeight)
			}
		}
		if slices.ContainsFunc(domains, func(other WeightedDomain) bool { return other.Name == name }) {
			return nil, fmt.Errorf("%q occurs twice", name)
		}
		domains = append(domains, d)
	}
	if len(domains) == 0 {
		return nil, errors.New("must have at least one domain")
	}
	return domains, nil
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
func splitPairs(text string) (valueByName map[string]string, err error) {
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
