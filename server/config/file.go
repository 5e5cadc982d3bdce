package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultFile is read where no --config is given, if it is there.
const DefaultFile = "onair.yaml"

// readFile reads the file at path, or DefaultFile where path is empty.
func readFile(path string) (source, []error) {
	values := source{}
	name := cmp.Or(path, DefaultFile)
	data, err := os.ReadFile(name)
	switch {
	case path == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && path != "":
		return nil, []error{fmt.Errorf("--config: %w", err)}
	case err != nil:
		return nil, []error{err}
	}
	return values, fromYAML(values, name, data)
}

// reader takes a configuration file into a source.
type reader struct {
	path   string
	values source
	faults []error
}

// fromYAML reads a file into flat keys: a.b and b nested in a are the same.
// Scalars are taken as they are written: 0123 stays 0123.
func fromYAML(values source, path string, data []byte) []error {
	f := &reader{path: path, values: values}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil && strings.Contains(err.Error(), "unknown anchor"):
		// The message would show the anchor: the value of a key, maybe a secret.
		return []error{fmt.Errorf("%s: a value begins with * and is not quoted", path)}
	case err != nil:
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		return []error{fmt.Errorf("%s: there is something after the end of its first document", path)}
	}
	switch root := doc.Content[0]; {
	case root.Kind == yaml.MappingNode:
		f.read("", root)
	case !isNull(root):
		f.refuse("", "it is no mapping of keys to values")
	}
	return f.faults
}

// read takes the keys of a mapping whose own key is prefix, with its dot.
func (f *reader) read(prefix string, mapping *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		at, value := mapping.Content[i], mapping.Content[i+1]
		if at.Kind != yaml.ScalarNode {
			f.refuse(strings.TrimSuffix(prefix, "."), "line %d: a key must be a plain word", at.Line)
			continue
		}
		name := prefix + at.Value
		k, known := find(name)
		switch {
		case known:
			f.take(name, k, value)
		case value.Kind == yaml.MappingNode && isPrefix(name):
			f.read(name+".", value)
		case isPrefix(name):
			if !isNull(value) {
				f.refuse(name, "it must hold the keys that begin with %s.", name)
			}
		default:
			f.refuse(name, "there is no such key")
		}
	}
}

// take reads the value of a key. Null leaves the key alone.
func (f *reader) take(name string, k key, value *yaml.Node) {
	if isNull(value) {
		return
	}
	if _, twice := f.values[name]; twice {
		f.refuse(name, "it is given twice")
		return
	}
	text, err := plainText(k, name, value)
	if err != nil {
		f.refuse(name, "%w", err)
		return
	}
	f.values[name] = given{text, f.path}
}

func (f *reader) refuse(name, format string, args ...any) {
	where := f.path
	if name != "" {
		where += ": " + name
	}
	f.faults = append(f.faults, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// plainText writes a value as the text that a flag would have.
func plainText(k key, name string, n *yaml.Node) (string, error) {
	form := k.form
	if name != k.name {
		form = plain // name_file: a path
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && form&list != 0:
		return joined(n.Content, 1)
	case n.Kind == yaml.MappingNode && form&pairs != 0:
		return joined(n.Content, 2)
	}
	return "", errors.New("its value has the wrong form: " + formOf(form))
}

// joined writes a sequence (n = 1) as a,b and a mapping (n = 2) as a=x,b=y.
func joined(nodes []*yaml.Node, n int) (string, error) {
	var b strings.Builder
	for i, node := range nodes {
		ends := "," // a part
		if n == 2 && i%n == 0 {
			ends = ",=" // a name
		}
		if node.Kind != yaml.ScalarNode || strings.ContainsAny(node.Value, ends) {
			return "", errors.New("its parts must be plain values without commas, its names without =")
		}
		if i > 0 {
			b.WriteByte(",="[i%n])
		}
		b.WriteString(node.Value)
	}
	return b.String(), nil
}

func formOf(f form) string {
	switch {
	case f&list != 0 && f&pairs != 0:
		return "a list or a mapping is asked for"
	case f&list != 0:
		return "a list is asked for"
	case f&pairs != 0:
		return "a mapping is asked for"
	}
	return "one plain value is asked for"
}

// isPrefix reports whether keys begin with name and a dot.
func isPrefix(name string) bool {
	for _, k := range keys {
		if strings.HasPrefix(k.name, name+".") {
			return true
		}
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
