package config

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// DefaultFile is read where no --config is given, if it is there.
const DefaultFile = "onair.yaml"

// given is a value as somebody gave it, and where.
type given struct{ text, source string }

// Load reads the configuration: flags beat environment beats file beats
// default. Its error names, for everything that is wrong, the key and where
// its value came from.
func Load(args, environ []string) (*Config, error) {
	flags := Flags()
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return FromFlags(flags, environ)
}

// Flags is a flag for every key, and --config.
func Flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("onair", pflag.ContinueOnError)
	f.SortFlags = false
	f.String("config", "", "configuration file (default "+DefaultFile+" if it is there)")
	for _, k := range keys {
		f.String(flagName(k.name), k.def, k.help)
		if k.secret {
			f.String(flagName(k.name+"_file"), "", "file that holds "+k.name)
			f.MarkHidden(flagName(k.name + "_file"))
		}
	}
	return f
}

// FromFlags is Load with flags that have been parsed already.
func FromFlags(flags *pflag.FlagSet, environ []string) (*Config, error) {
	values := map[string]given{}
	faults := fromFile(values, flags)
	faults = append(faults, fromEnvironment(values, environ)...)
	// Not Visit: whoever adds these flags to a set of its own sets them there.
	flags.VisitAll(func(f *pflag.Flag) {
		if name := keyName(f.Name); f.Changed && f.Name != "config" {
			put(values, name, given{f.Value.String(), "--" + f.Name})
		}
	})
	c := &Config{}
	for _, k := range keys {
		v, err := value(values, k)
		if err == nil {
			err = k.set(c, v.text)
		}
		if err != nil {
			faults = append(faults, fault(v.source, k.name, err))
		}
	}
	if len(faults) == 0 {
		faults = c.complete(values)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// put lets a value replace what a weaker source gave for the same key, in
// either form of a secret.
func put(values map[string]given, name string, v given) {
	if base, isFile := strings.CutSuffix(name, "_file"); isFile {
		delete(values, base)
	} else {
		delete(values, name+"_file")
	}
	values[name] = v
}

func fault(source, name string, err error) error {
	if source == "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %s: %w", source, name, err)
}

// value is what counts for a key. A secret's file is read here.
func value(values map[string]given, k key) (given, error) {
	if v, ok := values[k.name]; ok {
		return v, nil
	}
	if v, ok := values[k.name+"_file"]; ok && k.secret {
		data, err := os.ReadFile(v.text)
		if err != nil {
			return given{source: v.source}, fmt.Errorf("its file cannot be read: %w", err)
		}
		return given{strings.TrimRight(string(data), "\r\n"), v.source}, nil
	}
	return given{text: k.def}, nil
}

func find(name string) (k key, ok bool) {
	for _, k := range keys {
		if k.name == name || k.secret && k.name+"_file" == name {
			return k, true
		}
	}
	return k, false
}

// flagName writes a_b as a-b: a key's name as a flag.
func flagName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// envName writes a.b_c as ONAIR_A_B_C.
func envName(name string) string {
	return "ONAIR_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

// keyName is flagName backwards: no key has a dash.
func keyName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

func fromEnvironment(values map[string]given, environ []string) (faults []error) {
	known := map[string]string{}
	for _, k := range keys {
		known[envName(k.name)] = k.name
		if k.secret {
			known[envName(k.name+"_file")] = k.name + "_file"
		}
	}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "ONAIR_") || strings.HasPrefix(name, "ONAIR_TEST_") {
			continue
		}
		key, ok := known[name]
		if !ok {
			faults = append(faults, fmt.Errorf("%s: there is no such key", name))
			continue
		}
		put(values, key, given{text, name})
	}
	return faults
}

// fromFile reads the file into flat keys: nested and dotted names are the same.
func fromFile(values map[string]given, flags *pflag.FlagSet) []error {
	path, _ := flags.GetString("config")
	data, err := os.ReadFile(cmp.Or(path, DefaultFile))
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	path = cmp.Or(path, DefaultFile)
	if err != nil {
		return []error{fmt.Errorf("--config: %w", err)}
	}
	return fromYAML(values, path, data)
}

func fromYAML(values map[string]given, path string, data []byte) (faults []error) {
	var tree map[string]any
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	flat := map[string]any{}
	faults = flatten(flat, "", tree, path, nil)
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		v := flat[name]
		if _, ok := find(name); !ok {
			faults = append(faults, fmt.Errorf("%s: %s: there is no such key", path, name))
			continue
		}
		if v != nil {
			values[name] = given{plain(v), path}
		}
	}
	for _, k := range keys {
		_, text := values[k.name]
		if _, file := values[k.name+"_file"]; text && file && k.secret {
			faults = append(faults, fmt.Errorf("%s: %s: is given, and %s_file too: one of the two", path, k.name, k.name))
		}
	}
	return faults
}

func flatten(flat map[string]any, prefix string, tree map[string]any, path string, faults []error) []error {
	for name, v := range tree {
		name = prefix + name
		if sub, ok := v.(map[string]any); ok {
			if _, leaf := find(name); !leaf {
				faults = flatten(flat, name+".", sub, path, faults)
				continue
			}
			v = joined(sub)
		}
		if _, twice := flat[name]; twice {
			faults = append(faults, fmt.Errorf("%s: %s: is given twice", path, name))
		}
		flat[name] = v
	}
	return faults
}

// joined writes a mapping as name=value,name=value.
func joined(m map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+"="+plain(m[name]))
	}
	return strings.Join(out, ",")
}

// plain writes a value of the file as the text that a flag would have.
func plain(v any) string {
	if list, ok := v.([]any); ok {
		out := make([]string, len(list))
		for i, x := range list {
			out[i] = plain(x)
		}
		return strings.Join(out, ",")
	}
	return fmt.Sprint(v)
}

// complete fills in what depends on other keys, and checks what must fit
// together.
func (c *Config) complete(values map[string]given) []error {
	var faults []error
	bad := func(name, format string, args ...any) {
		faults = append(faults, fault(values[name].source, name, fmt.Errorf(format, args...)))
	}
	if c.Node == "" {
		c.Node = hostName() + "-" + random(4)
	}
	if _, ok := values["heartbeat.grace"]; !ok || values["heartbeat.grace"].text == "" {
		c.Heartbeat.Grace = min(c.Heartbeat.Interval/10, 5*time.Second)
	}
	c.Push.Domain = strings.ReplaceAll(c.Push.Domain, "{bizid}", c.BizID)
	for i := range c.Play.Domains {
		c.Play.Domains[i].Name = strings.ReplaceAll(c.Play.Domains[i].Name, "{bizid}", c.BizID)
	}
	c.develop()
	c.Viewer.Anonymous = slices.Contains(c.Development, "auth.secret")
	switch text := values["viewer.anonymous"].text; text {
	case "":
	case "true", "false":
		c.Viewer.Anonymous = text == "true"
	default:
		bad("viewer.anonymous", "%q is neither true nor false", text)
	}
	c.check(bad)
	return faults
}

// develop makes up the secrets that nobody gave.
func (c *Config) develop() {
	if c.Auth.Secret == "" && len(c.Auth.Secrets) == 0 && c.Auth.JWKSURL == "" && c.Auth.PublicKey == "" {
		c.Auth.Secret = Secret(random(32))
		c.Development = append(c.Development, "auth.secret")
	}
	if c.Push.Key == "" {
		c.Push.Key = Secret(random(16))
		c.Development = append(c.Development, "push.key")
	}
	if c.Play.Key == "" {
		c.Play.Key = Secret(random(16))
		c.Development = append(c.Development, "play.key")
	}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// loopback reports whether an address can be reached from this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}
