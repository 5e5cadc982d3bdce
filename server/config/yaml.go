package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultFile is the configuration file without --config, if it exists.
const DefaultFile = "onair.yaml"

// readFileLayer reads the file at explicitPath, or DefaultFile if explicitPath is empty.
func readFileLayer(explicitPath string) (values layer, errs []error) {
	name := cmp.Or(explicitPath, DefaultFile)
	data, err := os.ReadFile(name)
	switch {
	case explicitPath == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && explicitPath != "":
		return nil, []error{fmt.Errorf("--config: %w", err)}
	case err != nil:
		return nil, []error{err}
	}
	return parseYAML(name, data)
}

// yamlParser collects the values of a configuration file.
type yamlParser struct {
	path   string
	values layer
	errs   []error
}

// parseYAML flattens a file into keys: a.b is the same as b nested in a. It takes
// scalars as they are written: 0123 stays 0123.
func parseYAML(path string, data []byte) (values layer, errs []error) {
	p := &yamlParser{path: path, values: layer{}}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return p.values, nil
	case err != nil && strings.Contains(err.Error(), "unknown anchor"):
		// The library's message shows the anchor: the value of a key, maybe a secret.
		p.addError("", "a value that begins with * must be quoted")
		return p.values, p.errs
	case err != nil:
		p.addError("", "%w", err)
		return p.values, p.errs
	}
	switch root := doc.Content[0]; {
	case !errors.Is(dec.Decode(&next), io.EOF):
		p.addError("", "must be one YAML document, has a second one")
	case root.Kind == yaml.MappingNode:
		p.parseMapping("", root)
	case !isNull(root):
		p.addError("", "must be a mapping of keys to values")
	}
	return p.values, p.errs
}

// parseMapping reads a mapping whose keys begin with prefix, which ends in a dot.
func (p *yamlParser) parseMapping(prefix string, mapping *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		keyNode, value := mapping.Content[i], mapping.Content[i+1]
		if keyNode.Kind != yaml.ScalarNode {
			p.addError(strings.TrimSuffix(prefix, "."), "line %d: a key must be a plain word", keyNode.Line)
			continue
		}
		name := prefix + keyNode.Value
		k, known := keyByName(name)
		switch {
		case known:
			p.parseValue(name, k, value)
		case value.Kind == yaml.MappingNode && isKeyPrefix(name):
			p.parseMapping(name+".", value)
		case isKeyPrefix(name):
			if !isNull(value) {
				p.addError(name, "must be a mapping of the keys that begin with %s.", name)
			}
		default:
			p.addError(name, "unknown key")
		}
	}
}

// parseValue reads the value of a key. Null leaves the key unset.
func (p *yamlParser) parseValue(name string, k key, value *yaml.Node) {
	if isNull(value) {
		return
	}
	if _, exists := p.values[name]; exists {
		p.addError(name, "set twice")
		return
	}
	form := k.form
	if name != k.name {
		form = scalar // name_file is a path
	}
	text, err := flagTextOfNode(form, value)
	if err != nil {
		p.addError(name, "%w", err)
		return
	}
	p.values[name] = rawValue{text, "file " + p.path}
}

// addError adds an error about a key, or about the whole file if keyNameOrEmpty is empty.
func (p *yamlParser) addError(keyNameOrEmpty, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if keyNameOrEmpty == "" {
		err = fmt.Errorf("%s: %w", p.path, err)
	} else {
		err = fmt.Errorf("%s: %w (file %s)", keyNameOrEmpty, err, p.path)
	}
	p.errs = append(p.errs, err)
}

// flagTextOfNode returns a value as a flag has it. The error is returned when the key does
// not have that form.
func flagTextOfNode(form keyForm, n *yaml.Node) (flagText string, err error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && form&list != 0:
		return joinScalarsWithoutSeparators(n.Content, 1)
	case n.Kind == yaml.MappingNode && form&pairs != 0:
		return joinScalarsWithoutSeparators(n.Content, 2)
	case form&list != 0 && form&pairs != 0:
		return "", errors.New("must be a list or a mapping")
	case form&list != 0:
		return "", errors.New("must be a list")
	case form&pairs != 0:
		return "", errors.New("must be a mapping")
	}
	return "", errors.New("must be a plain value")
}

// joinScalarsWithoutSeparators joins a sequence (nodesPerPart 1) to a,b and a mapping (2) to a=x,b=y.
func joinScalarsWithoutSeparators(nodes []*yaml.Node, nodesPerPart int) (flagText string, err error) {
	var b strings.Builder
	for i, node := range nodes {
		separators := ","
		if nodesPerPart == 2 && i%2 == 0 {
			separators = ",=" // a name
		}
		if node.Kind != yaml.ScalarNode || strings.ContainsAny(node.Value, separators) {
			return "", errors.New("parts must be plain values without a comma, and names without =")
		}
		if i > 0 {
			b.WriteByte(",="[i%nodesPerPart])
		}
		b.WriteString(node.Value)
	}
	return b.String(), nil
}

// isKeyPrefix reports whether a key begins with name and a dot.
func isKeyPrefix(name string) bool {
	return slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.name, name+".") })
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
