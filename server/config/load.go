package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// rawValue is the text of a key before it is parsed. The origin reads "file PATH",
// "environment NAME" or "flag --NAME".
type rawValue struct{ text, origin string }

// layer holds the values from one source or several, by the name of the key or by
// the name with the suffix _file.
type layer map[string]rawValue

// Load reads the configuration from flags, the environment and a file. Its error
// lists every problem with the key and the origin of the value.
func Load(args, environ []string) (*Config, error) {
	flags := NewFlagSet()
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return LoadWithFlags(flags, environ)
}

// NewFlagSet returns a flag set with --config and a flag for every key.
func NewFlagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("onair", pflag.ContinueOnError)
	f.SortFlags = false
	f.String("config", "", "configuration file; empty: "+DefaultFile+", if it exists")
	for _, k := range keys {
		f.String(flagName(k.name), k.defaultText, k.help)
		if k.form&fileForm != 0 {
			f.String(flagName(k.name+"_file"), "", "file that holds "+k.name)
			_ = f.MarkHidden(flagName(k.name + "_file")) // it fails only for an unknown flag
		}
	}
	return f
}

// LoadWithFlags reads the configuration as [Load] does, with flags that are parsed
// already.
func LoadWithFlags(flags *pflag.FlagSet, environ []string) (*Config, error) {
	values, errs := mergedLayers(flags, environ)
	c, err := newConfig(values, errs)
	if err == nil {
		c.IgnoredVariables = kubernetesVariables(environ)
	}
	return c, err
}

// OpsListenAddressOrDefault returns ops.listen alone and ignores all other errors: a broken file
// must not fail the health check of a running server.
func OpsListenAddressOrDefault(flags *pflag.FlagSet, environ []string) (hostPort string, err error) {
	values, _ := mergedLayers(flags, environ)
	k, _ := keyByName("ops.listen")
	return values.readTextOrDefault(k)
}

// mergedLayers returns the values of all sources, the strongest for each key.
func mergedLayers(flags *pflag.FlagSet, environ []string) (values layer, errs []error) {
	path, _ := flags.GetString("config")
	file, errs := readFileLayer(path)
	environment, environmentErrs := environmentLayer(environ)
	errs = append(errs, environmentErrs...)
	values = layer{}
	for _, l := range []layer{file, environment, flagLayer(flags)} {
		errs = append(errs, l.mergeInto(values)...)
	}
	return values, errs
}

// newConfig parses and validates values and the defaults of all other keys. An
// invalid value counts as its default, so that one error hides no other. Its error
// joins sourceErrs and all that it finds.
func newConfig(values layer, sourceErrs []error) (*Config, error) {
	v := &validation{Config: &Config{effective: layer{}}, values: values, errs: sourceErrs, invalid: map[string]bool{}}
	for _, k := range keys {
		text, err := values.readTextOrDefault(k)
		v.effective[k.name] = rawValue{text, values.originOrEmpty(k.name)}
		if err != nil {
			v.addFirstError(k.name, "%w", err)
		} else if err = k.parse(v.Config, text); err != nil {
			v.rejectValue(k.name, "%w", err)
		}
		if err != nil {
			_ = k.parse(v.Config, k.defaultText) // a test parses every default
		}
	}
	v.deriveValues()
	v.validate()
	if len(v.errs) > 0 {
		return nil, errors.Join(v.errs...)
	}
	return v.Config, nil
}

// mergeInto writes the values of l into dst, over either form of each key. An empty secret
// counts as not given: an unset variable of a deployment must not discard a configured key. It
// returns an error for each key that l sets in both forms.
func (l layer) mergeInto(dst layer) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if k, _ := keyByName(name); k.form&secret != 0 && strings.TrimFunc(l[name].text, isInvisible) == "" {
			continue
		}
		base, isFile := strings.CutSuffix(name, "_file")
		if isFile {
			if _, both := l[base]; both {
				errs = append(errs, l.wrapKeyError(base, fmt.Errorf("set twice, also as %s: set one of the two", name)))
			}
			delete(dst, base)
		} else {
			delete(dst, name+"_file")
		}
		dst[name] = l[name]
	}
	return errs
}

// wrapKeyError returns err with the name of the key, and with the origin of its value if
// any source set it.
func (l layer) wrapKeyError(keyName string, err error) error {
	if origin := l.originOrEmpty(keyName); origin != "" {
		return fmt.Errorf("%s: %w (%s)", keyName, err, origin)
	}
	return fmt.Errorf("%s: %w", keyName, err)
}

// originOrEmpty returns where the value of a key came from, or "" for its default.
func (l layer) originOrEmpty(keyName string) string {
	for _, form := range []string{keyName, keyName + "_file"} {
		if v, ok := l[form]; ok {
			return v.origin
		}
	}
	return ""
}

// readTextOrDefault returns the value of a key or its default. It reads the file of the _file
// form.
func (l layer) readTextOrDefault(k key) (text string, err error) {
	if v, ok := l[k.name]; ok {
		return v.text, nil
	}
	v, ok := l[k.name+"_file"]
	if !ok {
		return k.defaultText, nil
	}
	data, err := os.ReadFile(v.text)
	if err != nil {
		return "", fmt.Errorf("cannot read its file: %w", err)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return "", fmt.Errorf("its file %s is UTF-16: must be UTF-8", v.text)
	}
	if text = strings.TrimFunc(string(data), isInvisible); text == "" {
		return "", fmt.Errorf("its file %s is empty", v.text)
	}
	return text, nil
}

// keyByName returns the key with that name, or with that _file form.
func keyByName(name string) (k key, ok bool) {
	for _, k := range keys {
		if k.name == name || k.form&fileForm != 0 && k.name+"_file" == name {
			return k, true
		}
	}
	return key{}, false
}

// flagName returns the flag of a key: a.b_c is a.b-c.
func flagName(keyName string) string { return strings.ReplaceAll(keyName, "_", "-") }

// keyNameOfFlag returns the key of a flag. No key has a dash.
func keyNameOfFlag(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// environmentVariable returns the environment variable of a key: a.b_c is ONAIR_A_B_C.
func environmentVariable(keyName string) string {
	return "ONAIR_" + strings.ToUpper(strings.ReplaceAll(keyName, ".", "_"))
}

func flagLayer(flags *pflag.FlagSet) layer {
	l := layer{}
	// Visit would miss flags that were set in another set which shares them.
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := keyByName(keyNameOfFlag(f.Name)); ok && f.Changed {
			l[keyNameOfFlag(f.Name)] = rawValue{f.Value.String(), "flag --" + f.Name}
		}
	})
	return l
}

func environmentLayer(environ []string) (l layer, errs []error) {
	keyOf := map[string]string{}
	for _, k := range keys {
		keyOf[environmentVariable(k.name)] = k.name
		if k.form&fileForm != 0 {
			keyOf[environmentVariable(k.name+"_file")] = k.name + "_file"
		}
	}
	l = layer{}
	for _, assignment := range environ {
		variable, text, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(variable, "ONAIR_") || strings.HasPrefix(variable, "ONAIR_TEST_") || isKubernetesVariable(assignment) {
			continue
		}
		if key, ok := keyOf[variable]; ok {
			l[key] = rawValue{text, "environment " + variable}
		} else {
			errs = append(errs, fmt.Errorf("unknown environment variable %s", variable))
		}
	}
	return l, errs
}
