package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml asyncapi.yaml schemas.yaml
var sources embed.FS

// Prefixes of references to shared schemas: in the source files, and as served.
const (
	sharedRefPrefix = "schemas.yaml#/"
	localRefPrefix  = "#/components/schemas/"
)

// readEmbeddedYAML reads an embedded file as a tree without aliases.
func readEmbeddedYAML(fileName string) (*yaml.Node, error) {
	text, err := sources.ReadFile(fileName)
	if err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("%s: %w", fileName, err)
	}
	return resolveAliases(n.Content[0]), nil
}

// resolveAliases returns a copy of a tree with aliases and merge keys replaced by their
// content.
func resolveAliases(n *yaml.Node) (resolved *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		return resolveAliases(n.Alias)
	}
	resolved = &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			resolved.Content = append(resolved.Content, resolveAliases(child))
		}
		return resolved
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], resolveAliases(n.Content[i+1])
		if name.Tag != "!!merge" {
			setMember(resolved, name.Value, value)
			continue
		}
		for name, value := range members(value) {
			setMember(resolved, name, value)
		}
	}
	return resolved
}

// setMember sets a member of a mapping.
func setMember(mapping *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
}

// members iterates over a mapping in order. Other nodes have no members.
func members(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(name string, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// elements returns the elements of a sequence. Other nodes have no elements.
func elements(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// nodeAt returns the node at a path of member names, or nil.
func nodeAt(n *yaml.Node, path ...string) *yaml.Node {
	for _, step := range path {
		var next *yaml.Node
		for name, value := range members(n) {
			if name == step {
				next = value
			}
		}
		n = next
	}
	return n
}

// scalarText returns the text of a scalar, or "".
func scalarText(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// resolveRef returns the target of a reference, or n if it is none.
func resolveRef(doc, n *yaml.Node) (target *yaml.Node) {
	ref := nodeAt(n, "$ref")
	if ref == nil {
		return n
	}
	return nodeAt(doc, strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/")...)
}

// refName returns the last part of a reference, or "".
func refName(n *yaml.Node) string {
	ref := scalarText(nodeAt(n, "$ref"))
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// readBundledDocument reads a document and adds the shared schemas that it refers to. A
// missing or duplicate schema is an error.
func readBundledDocument(fileName string, sharedSchemas *yaml.Node) (*yaml.Node, error) {
	doc, err := readEmbeddedYAML(fileName)
	if err != nil {
		return nil, err
	}
	schemas := nodeAt(doc, "components", "schemas")
	if schemas == nil {
		schemas = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		setMember(nodeAt(doc, "components"), "schemas", schemas)
	}
	ownSchemas := map[string]bool{}
	for schemaName := range members(schemas) {
		ownSchemas[schemaName] = true
	}
	var bundleRefs func(n *yaml.Node, prefix string) error
	bundleRefs = func(n *yaml.Node, prefix string) error {
		if ref := nodeAt(n, "$ref"); ref != nil && strings.HasPrefix(ref.Value, prefix) {
			target := strings.TrimPrefix(ref.Value, prefix)
			ref.Value = localRefPrefix + target
			schema := nodeAt(sharedSchemas, target)
			switch {
			case schema == nil:
				return fmt.Errorf("%s: schemas.yaml has no schema %s", fileName, target)
			case ownSchemas[target]:
				return fmt.Errorf("%s: duplicate schema %s in schemas.yaml", fileName, target)
			case nodeAt(schemas, target) == nil:
				schema = resolveAliases(schema) // a copy for this document
				setMember(schemas, target, schema)
				if err := bundleRefs(schema, "#/"); err != nil {
					return err
				}
			}
		}
		for _, child := range n.Content {
			if err := bundleRefs(child, prefix); err != nil {
				return err
			}
		}
		return nil
	}
	return doc, bundleRefs(doc, sharedRefPrefix)
}

// indentedJSON returns a tree as indented JSON, in the order of the source.
func indentedJSON(n *yaml.Node) []byte {
	var out bytes.Buffer
	_ = json.Indent(&out, appendJSON(nil, n), "", "  ") // appendJSON writes valid JSON
	return append(out.Bytes(), '\n')
}

func appendJSON(dst []byte, n *yaml.Node) []byte {
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, n.Content[i].Value), ':')
			dst = appendJSON(dst, n.Content[i+1])
		}
		return append(dst, '}')
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, child := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, child)
		}
		return append(dst, ']')
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		return append(dst, n.Value...) // the sources write them as JSON does
	}
	return appendJSONString(dst, n.Value)
}

func appendJSONString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // keeps URLs readable
	_ = e.Encode(s)        // a string can be encoded
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
