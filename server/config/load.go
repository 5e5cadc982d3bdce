package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// given is a value as somebody gave it, and where: the path of a file, the
// name of a variable or of a flag.
type given struct{ text, where string }

// source is what one place gives, by the name of the key or name_file.
type source map[string]given

// Load reads the configuration: flags beat environment beats file beats
// default. Its error names, for everything that is wrong, the key and where
// its value came from.
func Load(args, environ []string) (*Config, error) {
	flags := Flags()
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag", flags.Arg(0))
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
		if k.form&inFile != 0 {
			f.String(flagName(k.name+"_file"), "", "file that holds "+k.name)
			_ = f.MarkHidden(flagName(k.name + "_file")) // it was added just now
		}
	}
	return f
}

// FromFlags is Load with flags that have been parsed already.
func FromFlags(flags *pflag.FlagSet, environ []string) (*Config, error) {
	values, faults := gather(flags, environ)
	return values.config(faults)
}

// OpsListen is ops.listen alone, whatever is wrong with the rest: a server that
// runs is as well as before when somebody has spoilt its file.
func OpsListen(flags *pflag.FlagSet, environ []string) (string, error) {
	values, _ := gather(flags, environ)
	k, _ := find("ops.listen")
	return values.text(k)
}

// gather lays all sources over each other.
func gather(flags *pflag.FlagSet, environ []string) (values source, faults []error) {
	path, _ := flags.GetString("config")
	file, faults := readFile(path)
	environment, more := fromEnvironment(environ)
	faults = append(faults, more...)
	values = source{}
	for _, s := range []source{file, environment, fromFlags(flags)} {
		faults = append(faults, s.over(values)...)
	}
	return values, faults
}

// config makes the configuration that s and the defaults give, unless there
// are faults. A value that cannot be read counts as its default until all that
// can be said has been said.
func (s source) config(faults []error) (*Config, error) {
	a := &audit{Config: &Config{read: source{}}, values: s, faults: faults, faulty: map[string]bool{}}
	for _, k := range keys {
		text, err := s.text(k)
		a.read[k.name] = given{text, s.place(k.name)}
		if err == nil {
			err = k.set(a.Config, text)
		}
		if err != nil {
			a.refuse(k.name, "%w", err)
			_ = k.set(a.Config, k.def)
		}
	}
	a.complete()
	a.check()
	if len(a.faults) > 0 {
		return nil, errors.Join(a.faults...)
	}
	return a.Config, nil
}

// over lays s over what weaker sources gave: for each key, in either of its
// forms. It refuses both forms from one source.
func (s source) over(values source) (faults []error) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		v := s[name]
		base, isFile := strings.CutSuffix(name, "_file")
		if isFile {
			if text, both := s[base]; both {
				faults = append(faults, fmt.Errorf("%s: %s: is given, and %s too: give one of the two", text.where, base, name))
			}
			delete(values, base)
		} else {
			delete(values, name+"_file")
		}
		values[name] = v
	}
	return faults
}

// where is what a message about a key begins with: where its value came from,
// if anybody gave it, and its name.
func (s source) where(name string) string {
	if place := s.place(name); place != "" {
		return place + ": " + name
	}
	return name
}

// place is where a key's value came from, "" for its default.
func (s source) place(name string) string {
	for _, form := range []string{name, name + "_file"} {
		if v, ok := s[form]; ok {
			return v.where
		}
	}
	return ""
}

// text is what counts for a key. A secret's file is read here.
func (s source) text(k key) (string, error) {
	if v, ok := s[k.name]; ok {
		return v.text, nil
	}
	v, ok := s[k.name+"_file"]
	if !ok {
		return k.def, nil
	}
	data, err := os.ReadFile(v.text)
	if err != nil {
		return "", fmt.Errorf("its file cannot be read: %w", err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("its file %s is empty", v.text)
	}
	return text, nil
}

// find gives the key of that name, or of which it is the _file form.
func find(name string) (k key, ok bool) {
	for _, k := range keys {
		if k.name == name || k.form&inFile != 0 && k.name+"_file" == name {
			return k, true
		}
	}
	return key{}, false
}

// flagName writes a_b as a-b: a key's name as a flag.
func flagName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// keyName is flagName backwards: no key has a dash.
func keyName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// envName writes a.b_c as ONAIR_A_B_C.
func envName(name string) string {
	return "ONAIR_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

func fromFlags(flags *pflag.FlagSet) source {
	s := source{}
	// Not Visit: whoever adds these flags to a set of its own sets them there.
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := find(keyName(f.Name)); ok && f.Changed {
			s[keyName(f.Name)] = given{f.Value.String(), "--" + f.Name}
		}
	})
	return s
}

func fromEnvironment(environ []string) (s source, faults []error) {
	known := map[string]string{}
	for _, k := range keys {
		known[envName(k.name)] = k.name
		if k.form&inFile != 0 {
			known[envName(k.name+"_file")] = k.name + "_file"
		}
	}
	s = source{}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "ONAIR_") || strings.HasPrefix(name, "ONAIR_TEST_") {
			continue
		}
		if key, ok := known[name]; ok {
			s[key] = given{text, name}
		} else {
			faults = append(faults, fmt.Errorf("%s: there is no such key", name))
		}
	}
	return s, faults
}
