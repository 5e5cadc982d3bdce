// Package api holds the documents of the interface, embedded: OpenAPI of HTTP,
// AsyncAPI of the sockets, and a page of each for people. They are written by
// hand in the YAML files beside; what both speak of is in schemas.yaml, once, and
// tests hold all of it to the code.
package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml asyncapi.yaml schemas.yaml
var sources embed.FS

// documents are all there is to serve. They are made once: servers of tests share
// them.
var documents = sync.OnceValue(func() *made {
	m, err := makeAll()
	if err != nil {
		panic("api: " + err.Error()) // what is embedded is what the tests have read
	}
	return m
})

// made are the documents as they are served.
type made struct {
	openAPI, asyncAPI, http, sockets *document
}

// document is a file as it is served.
type document struct {
	kind, policy, etag string
	text               []byte
}

func newDocument(kind, policy string, text []byte) *document {
	sum := sha256.Sum256(text)
	return &document{kind: kind, policy: policy, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, text: text}
}

func makeAll() (*made, error) {
	schemas, err := read("schemas.yaml")
	if err != nil {
		return nil, err
	}
	open, err := bundle("openapi.yaml", schemas)
	if err != nil {
		return nil, err
	}
	async, err := bundle("asyncapi.yaml", schemas)
	if err != nil {
		return nil, err
	}
	http, err := pageDocument(pageOfHTTP(open))
	if err != nil {
		return nil, err
	}
	sockets, err := pageDocument(pageOfSockets(async))
	if err != nil {
		return nil, err
	}
	return &made{
		// A page of another origin may read them, but nothing runs in them.
		openAPI:  newDocument("application/json", "default-src 'none'; frame-ancestors 'none'", toJSON(open)),
		asyncAPI: newDocument("application/json", "default-src 'none'; frame-ancestors 'none'", toJSON(async)),
		http:     http,
		sockets:  sockets,
	}, nil
}

func pageDocument(p *page) (*document, error) {
	html, policy, err := p.render()
	if err != nil {
		return nil, err
	}
	return newDocument("text/html; charset=utf-8", policy, html), nil
}

// OpenAPI returns the document of HTTP, as it is served. It must not be changed.
func OpenAPI() []byte { return documents().openAPI.text }

// AsyncAPI returns the document of the sockets, as it is served. It must not be
// changed.
func AsyncAPI() []byte { return documents().asyncAPI.text }

// Handler serves /openapi.json, /asyncapi.json, and the pages: /docs of HTTP and
// /docs/sockets.
func Handler() http.Handler {
	m := documents()
	mux := http.NewServeMux()
	mux.Handle("GET /openapi.json", m.openAPI)
	mux.Handle("GET /asyncapi.json", m.asyncAPI)
	mux.Handle("GET /docs", m.http)
	mux.Handle("GET /docs/sockets", m.sockets)
	return mux
}

// ServeHTTP implements [http.Handler].
func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", d.kind)
	h.Set("Content-Security-Policy", d.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // asked after each time, by its tag
	h.Set("ETag", d.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.text))
}

// Where the shapes lie that both documents speak of: as they are written, and as
// they are served.
const (
	sharedFile = "schemas.yaml#/"
	localRef   = "#/components/schemas/"
)

// read reads a file as a tree without aliases.
func read(name string) (*yaml.Node, error) {
	text, err := sources.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return expand(n.Content[0]), nil
}

// expand returns a copy of a tree in which what aliases and merges stand for is
// written out.
func expand(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias)
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			out.Content = append(out.Content, expand(c))
		}
		return out
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], expand(n.Content[i+1])
		if name.Tag != "!!merge" {
			put(out, name.Value, value)
			continue
		}
		for name, value := range members(value) {
			put(out, name, value)
		}
	}
	return out
}

// put sets a member of a mapping.
func put(n *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
}

// members are those of a mapping, in order; of anything else there are none.
func members(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
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

// at is what a path of names leads to, or nil.
func at(n *yaml.Node, path ...string) *yaml.Node {
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

// text is that of a scalar, or empty.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// bundle reads a document and brings in the shapes that it speaks of, so that it
// stands alone. It fails where it speaks of one that there is not.
func bundle(name string, shared *yaml.Node) (*yaml.Node, error) {
	doc, err := read(name)
	if err != nil {
		return nil, err
	}
	schemas := at(doc, "components", "schemas")
	if schemas == nil {
		schemas = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		put(at(doc, "components"), "schemas", schemas)
	}
	own := map[string]bool{}
	for shape := range members(schemas) {
		own[shape] = true
	}
	var bring func(n *yaml.Node, prefix string) error
	bring = func(n *yaml.Node, prefix string) error {
		if ref := at(n, "$ref"); ref != nil && strings.HasPrefix(ref.Value, prefix) {
			target := strings.TrimPrefix(ref.Value, prefix)
			ref.Value = localRef + target
			shape := at(shared, target)
			switch {
			case shape == nil:
				return fmt.Errorf("%s: schemas.yaml has no %s", name, target)
			case own[target]:
				return fmt.Errorf("%s: schemas.yaml has a %s, too", name, target)
			case at(schemas, target) == nil:
				shape = expand(shape) // a copy: the other document has its own
				put(schemas, target, shape)
				if err := bring(shape, "#/"); err != nil {
					return err
				}
			}
		}
		for _, c := range n.Content {
			if err := bring(c, prefix); err != nil {
				return err
			}
		}
		return nil
	}
	return doc, bring(doc, sharedFile)
}

// toJSON is a tree as JSON, in the order in which it was written.
func toJSON(n *yaml.Node) []byte {
	var out bytes.Buffer
	// What appendJSON writes is JSON, so this does not fail.
	_ = json.Indent(&out, appendJSON(nil, n), "", "  ")
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
			dst = append(appendString(dst, n.Content[i].Value), ':')
			dst = appendJSON(dst, n.Content[i+1])
		}
		return append(dst, '}')
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, c := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, c)
		}
		return append(dst, ']')
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		return append(dst, n.Value...) // written as JSON writes them
	}
	return appendString(dst, n.Value)
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // URLs are to be read as they are
	_ = e.Encode(s)        // a string encodes
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
