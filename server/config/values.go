package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
)

// setter reads the text of one key into a configuration. Its error does not
// repeat the text of a secret.
type setter = func(*Config, string) error

func text(at func(*Config) *string) setter {
	return func(c *Config, s string) error { *at(c) = s; return nil }
}

func secret(at func(*Config) *Secret) setter {
	return func(c *Config, s string) error { *at(c) = Secret(s); return nil }
}

// texts reads a list of different texts, each one of words where there are any.
func texts(at func(*Config) *[]string, words ...string) setter {
	return func(c *Config, s string) error {
		parts := split(s)
		for i, part := range parts {
			if slices.Contains(parts[:i], part) {
				return fmt.Errorf("it names %q twice", part)
			}
			if len(words) > 0 && !slices.Contains(words, part) {
				return fmt.Errorf("%q is none of %s", part, strings.Join(words, ", "))
			}
		}
		*at(c) = parts
		return nil
	}
}

// oneOf reads one of words; the empty one, where it is allowed, is the first.
func oneOf(at func(*Config) *string, words ...string) setter {
	return func(c *Config, s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q is none of %s", s, strings.TrimPrefix(strings.Join(words, ", "), ", "))
		}
		*at(c) = s
		return nil
	}
}

// optional leaves what is empty as it is, for what depends on other keys.
func optional(set setter) setter {
	return func(c *Config, s string) error {
		if s == "" {
			return nil
		}
		return set(c, s)
	}
}

func duration(at func(*Config) *time.Duration) setter {
	return func(c *Config, s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no duration, such as 60s", s)
		}
		if d < 0 {
			return fmt.Errorf("%q is negative", s)
		}
		*at(c) = d
		return nil
	}
}

func number[T int | int64](at func(*Config) *T) setter {
	return func(c *Config, s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 || int64(T(n)) != n {
			return fmt.Errorf("%q is no number from 1 on", s)
		}
		*at(c) = T(n)
		return nil
	}
}

func float(at func(*Config) *float64) setter {
	return func(c *Config, s string) error {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n > 0) || math.IsInf(n, 0) {
			return fmt.Errorf("%q is no number over 0", s)
		}
		*at(c) = n
		return nil
	}
}

// rate reads so many a second.
func rate(at func(*Config) *float64) setter {
	return func(c *Config, s string) error {
		perSecond, ok := strings.CutSuffix(s, "/s")
		if !ok || float(at)(c, perSecond) != nil {
			return fmt.Errorf("%q is no rate, such as 1/s", s)
		}
		return nil
	}
}

func size(at func(*Config) *int) setter {
	return func(c *Config, s string) error {
		n, err := humanize.ParseBytes(s)
		if err != nil || n < 1 || n > 1<<30 {
			return fmt.Errorf("%q is no size, such as 16KiB, up to 1GiB", s)
		}
		*at(c) = int(n)
		return nil
	}
}

func setLevel(c *Config, s string) error {
	var word string
	if err := oneOf(func(*Config) *string { return &word }, "debug", "info", "warn", "error")(c, s); err != nil {
		return err
	}
	level, err := zerolog.ParseLevel(word)
	c.Log.Level = level
	return err
}

// patterns reads patterns as path.Match has them.
func patterns(at func(*Config) *[]string) setter {
	return func(c *Config, s string) error {
		if err := texts(at)(c, s); err != nil {
			return err
		}
		for _, pattern := range *at(c) {
			if _, err := path.Match(pattern, ""); err != nil {
				return fmt.Errorf("%q is no pattern, such as *.example.com", pattern)
			}
		}
		return nil
	}
}

// networks reads networks, and addresses, which are networks of one.
func networks(at func(*Config) *[]netip.Prefix) setter {
	return func(c *Config, s string) error {
		var out []netip.Prefix
		for _, part := range split(s) {
			p, err := netip.ParsePrefix(part)
			if address, bad := netip.ParseAddr(part); bad == nil && address.Zone() == "" {
				p, err = address.Prefix(address.BitLen())
			}
			if err != nil {
				return fmt.Errorf("%q is no network, such as 10.0.0.0/8", part)
			}
			out = append(out, p.Masked())
		}
		*at(c) = out
		return nil
	}
}

// database reads the number of a Redis database.
func database(at func(*Config) *int) setter {
	return func(c *Config, s string) (err error) {
		if *at(c), err = strconv.Atoi(s); err != nil || *at(c) < 0 {
			return fmt.Errorf("%q is no number from 0 on", s)
		}
		return nil
	}
}

// boolean reads true or false.
func boolean(at func(*Config) *bool) setter {
	return func(c *Config, s string) error {
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*at(c) = s == "true"
		return nil
	}
}

// setAnonymous reads what a development secret decides where it is empty.
func setAnonymous(c *Config, s string) error {
	switch s {
	case "", "true", "false":
		c.Viewer.Anonymous = s == "true"
		return nil
	}
	return fmt.Errorf("%q is neither true nor false", s)
}

// secrets reads a secret for each of some names.
func secrets(at func(*Config) *map[string]Secret) setter {
	return func(c *Config, s string) error {
		m, err := mapping(s)
		if err != nil || len(m) == 0 {
			return err
		}
		out := make(map[string]Secret, len(m))
		for name, value := range m {
			out[name] = Secret(value)
		}
		*at(c) = out
		return nil
	}
}

func setTemplates(c *Config, s string) error {
	m, err := mapping(s)
	if err != nil || len(m) == 0 {
		return err
	}
	for name, suffix := range m {
		if !isWord(name) || strings.ToLower(name) != name {
			return fmt.Errorf("the name %q is not of a-z 0-9 _ -", name)
		}
		if !isWord(suffix) {
			return fmt.Errorf("the suffix %q of %s is not of A-Z a-z 0-9 _ -", suffix, name)
		}
	}
	c.Play.Templates = m
	return nil
}

// setPorts reads a port for each of some protocols.
func setPorts(c *Config, s string) error {
	m, err := mapping(s)
	if err != nil || len(m) == 0 {
		return err
	}
	ports := make(map[string]int, len(m))
	for protocol, text := range m {
		if protocol != "rtmp" && protocol != "flv" && protocol != "hls" && protocol != "webrtc" {
			return fmt.Errorf("%q is none of rtmp, flv, hls, webrtc", protocol)
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("%q of %s is no port", text, protocol)
		}
		ports[protocol] = int(port)
	}
	c.Play.Ports = ports
	return nil
}

// maxWeight is the largest weight of a play domain, signing.MaxDomainWeight.
const maxWeight = 1000

func setDomains(c *Config, s string) error {
	var domains []Weighted
	for _, part := range split(s) {
		name, weight, weighted := strings.Cut(part, "=")
		d := Weighted{Name: name, Weight: 1}
		if weighted {
			var err error
			if d.Weight, err = strconv.Atoi(weight); err != nil || d.Weight < 1 || d.Weight > maxWeight {
				return fmt.Errorf("%q has no weight from 1 on, at most %d", part, maxWeight)
			}
		}
		if slices.ContainsFunc(domains, func(o Weighted) bool { return o.Name == name }) {
			return fmt.Errorf("it names %q twice", name)
		}
		domains = append(domains, d)
	}
	if len(domains) == 0 {
		return errors.New("it names no domain")
	}
	c.Play.Domains = domains
	return nil
}

// split reads a comma-separated list.
func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// mapping reads a comma-separated list of name=value. What has nothing but =
// for a value is a name that was forgotten, before something in base64.
func mapping(s string) (map[string]string, error) {
	m := map[string]string{}
	for _, part := range split(s) {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := m[name]; twice || name == "" || strings.Trim(value, "=") == "" {
			return nil, errors.New("it is no list of different name=value")
		}
		m[name] = value
	}
	return m, nil
}

// isWord reports whether s can stand in a live code and in a URL as it is.
func isWord(s string) bool { return s != "" && !strings.ContainsFunc(s, notInWord) }

func notInWord(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
