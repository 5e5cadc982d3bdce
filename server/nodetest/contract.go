package nodetest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"onair/hub/wire"
	"onair/server/api"
)

// Contract checks what a server sends against the documents of the interface. All clients
// of tests use it.
type Contract struct {
	Document map[string]any // OpenAPI
	calls    *http.ServeMux // finds the path of a call in the document
	schemas  map[string]*jsonschema.Schema
	messages map[string]string // types of the server's messages, to names of schemas
}

// LoadContract returns the contract, which the first call builds.
var LoadContract = sync.OnceValue(func() *Contract {
	c := &Contract{
		Document: mustParseJSON(api.OpenAPI()), calls: http.NewServeMux(),
		schemas: map[string]*jsonschema.Schema{}, messages: map[string]string{},
	}
	async := mustParseJSON(api.AsyncAPI())
	for _, doc := range []map[string]any{c.Document, async} {
		compiler := jsonschema.NewCompiler()
		schemas := ObjectAt(doc, "components", "schemas")
		for name, schema := range schemas {
			// Clients ignore unknown members, but a server sends only documented ones. It
			// sends no object of a schema with parts.
			if schema := schema.(map[string]any); schema["allOf"] == nil && !strings.HasSuffix(name, "Body") {
				forbidUnknownMembers(schema)
			}
		}
		if err := compiler.AddResource("onair:doc", doc); err != nil {
			panic(err)
		}
		for name := range schemas {
			c.schemas[name] = compiler.MustCompile("onair:doc#/components/schemas/" + name)
		}
	}
	for path := range ObjectAt(c.Document, "paths") {
		c.calls.Handle(path, http.NotFoundHandler())
	}
	for _, op := range ObjectAt(async, "operations") {
		op := op.(map[string]any)
		refs := op["messages"].([]any)
		if op["action"] == "receive" {
			refs = ObjectAt(op, "reply")["messages"].([]any)
		}
		for _, ref := range refs {
			name := refName(ref)
			c.messages[ObjectAt(async, "components", "messages", name)["name"].(string)] = name
		}
	}
	return c
})

func mustParseJSON(text []byte) map[string]any {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	return doc.(map[string]any)
}

// ObjectAt returns the object at a path of member names, or nil.
func ObjectAt(doc map[string]any, path ...string) map[string]any {
	for _, step := range path {
		doc, _ = doc[step].(map[string]any)
	}
	return doc
}

// refName returns the last part of a reference object.
func refName(reference any) string {
	ref, _ := reference.(map[string]any)["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// forbidUnknownMembers makes a schema reject members that it does not name.
func forbidUnknownMembers(schema any) {
	switch v := schema.(type) {
	case map[string]any:
		if v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			forbidUnknownMembers(inner)
		}
	case []any:
		for _, inner := range v {
			forbidUnknownMembers(inner)
		}
	}
}

func (c *Contract) validate(schemaName string, text []byte) error {
	schema := c.schemas[schemaName]
	if schema == nil {
		return fmt.Errorf("there is no schema %q", schemaName)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

// CheckMessage checks a message of a server to a socket.
func (c *Contract) CheckMessage(text []byte) error {
	typ, _, _ := wire.PeekHeader(text)
	name := c.messages[typ]
	if name == "" {
		return fmt.Errorf("%s: the server sends no such message by the document", text)
	}
	return c.validate(name, text)
}

// CheckServerSentEvent checks an event of the stream of events.
func (c *Contract) CheckServerSentEvent(name, data string) error {
	typ, _, _ := wire.PeekHeader([]byte(data))
	if typ != name {
		return fmt.Errorf("the event %s is the message %s", name, data)
	}
	content := ObjectAt(c.Document, "paths", "/v1/streams/events", "get", "responses", "200", "content", "text/event-stream", "schema")
	for _, ref := range content["oneOf"].([]any) {
		if schema := refName(ref); strings.EqualFold(schema, typ) {
			return c.validate(schema, []byte(data))
		}
	}
	return fmt.Errorf("%s: no such event is documented", data)
}

// CheckResponse checks the answer to a call of version 1.
func (c *Contract) CheckResponse(r *http.Request, status int, header http.Header, body []byte) error {
	if r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil // HEAD is GET without the body; OPTIONS is the preflight of browsers
	}
	_, path := c.calls.Handler(r)
	op := ObjectAt(c.Document, "paths", path, strings.ToLower(r.Method))
	if op == nil {
		if strings.HasPrefix(r.URL.Path, "/v1/") && status != http.StatusNotFound {
			return fmt.Errorf("%s %s is not documented, but answered with %d", r.Method, r.URL.Path, status)
		}
		return nil
	}
	what := fmt.Sprintf("%s %s: %d", r.Method, path, status)
	as := ObjectAt(op, "responses", strconv.Itoa(status))
	if as == nil {
		return fmt.Errorf("%s is not documented: %s", what, body)
	}
	if as["$ref"] != nil {
		as = ObjectAt(c.Document, "components", "responses", refName(as))
	}
	if ObjectAt(as, "content") == nil {
		if len(body) > 0 {
			return fmt.Errorf("%s is documented to have no body, and has %s", what, body)
		}
		return nil
	}
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	content := ObjectAt(as, "content", kind)
	if content == nil {
		return fmt.Errorf("%s is not documented as %q", what, kind)
	}
	if kind == "text/plain" {
		return nil // it has no schema
	}
	if err := c.validate(refName(content["schema"]), body); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
