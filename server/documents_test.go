package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"onair/hub/wire"
	"onair/server/api"
	"onair/server/callbacks"
	"onair/server/response"
	"onair/server/rest"
)

// contract is what the documents of the interface say that a server may send. All
// clients of tests hold it to that.
type contract struct {
	doc      map[string]any // OpenAPI
	calls    *http.ServeMux // only to find the path of a call in the document
	schemas  map[string]*jsonschema.Schema
	messages map[string]string // types of what the server sends, to names of schemas
}

// documented is the contract. It is made once, by whoever asks first.
var documented = sync.OnceValue(func() *contract {
	c := &contract{
		doc: parsed(api.OpenAPI()), calls: http.NewServeMux(),
		schemas: map[string]*jsonschema.Schema{}, messages: map[string]string{},
	}
	async := parsed(api.AsyncAPI())
	for _, doc := range []map[string]any{c.doc, async} {
		compiler := jsonschema.NewCompiler()
		schemas := walk(doc, "components", "schemas")
		for name, schema := range schemas {
			// Who reads ignores members that it does not know, but a server does not
			// send what is not documented. Of schemas with parts it sends none.
			if schema := schema.(map[string]any); schema["allOf"] == nil && !strings.HasSuffix(name, "Body") {
				closeObjects(schema)
			}
		}
		if err := compiler.AddResource("onair:doc", doc); err != nil {
			panic(err)
		}
		for name := range schemas {
			c.schemas[name] = compiler.MustCompile("onair:doc#/components/schemas/" + name)
		}
	}
	for path := range walk(c.doc, "paths") {
		c.calls.Handle(path, http.NotFoundHandler())
	}
	for _, op := range walk(async, "operations") {
		op := op.(map[string]any)
		refs := op["messages"].([]any)
		if op["action"] == "receive" {
			refs = walk(op, "reply")["messages"].([]any)
		}
		for _, ref := range refs {
			name := lastOf(ref)
			c.messages[walk(async, "components", "messages", name)["name"].(string)] = name
		}
	}
	return c
})

func parsed(text []byte) map[string]any {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	return doc.(map[string]any)
}

// walk is what a path leads to, nil where it leads nowhere.
func walk(doc map[string]any, path ...string) map[string]any {
	for _, step := range path {
		doc, _ = doc[step].(map[string]any)
	}
	return doc
}

// lastOf is the last part of the reference that an object is.
func lastOf(v any) string {
	ref, _ := v.(map[string]any)["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// closeObjects has a schema refuse members that it does not name.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

func (c *contract) validate(name string, text []byte) error {
	schema := c.schemas[name]
	if schema == nil {
		return fmt.Errorf("there is no schema %q", name)
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

// message checks what a socket was sent.
func (c *contract) message(text []byte) error {
	typ, _, _ := wire.PeekHeader(text)
	name := c.messages[typ]
	if name == "" {
		return fmt.Errorf("%s: the server sends no such message by the document", text)
	}
	return c.validate(name, text)
}

// event checks what came as an event.
func (c *contract) event(name, data string) error {
	typ, _, _ := wire.PeekHeader([]byte(data))
	if typ != name {
		return fmt.Errorf("the event %s is the message %s", name, data)
	}
	content := walk(c.doc, "paths", "/v1/streams/events", "get", "responses", "200", "content", "text/event-stream", "schema")
	for _, ref := range content["oneOf"].([]any) {
		if schema := lastOf(ref); strings.EqualFold(schema, typ) {
			return c.validate(schema, []byte(data))
		}
	}
	return fmt.Errorf("%s: no such event is documented", data)
}

// answer checks the answer to a call of version 1.
func (c *contract) answer(r *http.Request, status int, header http.Header, body []byte) error {
	if r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil // as GET, without the body; what a browser asks before it calls
	}
	_, path := c.calls.Handler(r)
	op := walk(c.doc, "paths", path, strings.ToLower(r.Method))
	if op == nil {
		if strings.HasPrefix(r.URL.Path, "/v1/") && status != http.StatusNotFound {
			return fmt.Errorf("%s %s is not documented, but answered with %d", r.Method, r.URL.Path, status)
		}
		return nil
	}
	what := fmt.Sprintf("%s %s: %d", r.Method, path, status)
	as := walk(op, "responses", strconv.Itoa(status))
	if as == nil {
		return fmt.Errorf("%s is not documented: %s", what, body)
	}
	if as["$ref"] != nil {
		as = walk(c.doc, "components", "responses", lastOf(as))
	}
	if walk(as, "content") == nil {
		if len(body) > 0 {
			return fmt.Errorf("%s is documented to have no body, and has %s", what, body)
		}
		return nil
	}
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	content := walk(as, "content", kind)
	if content == nil {
		return fmt.Errorf("%s is not documented as %q", what, kind)
	}
	if kind == "text/plain" {
		return nil // of what form it is, no schema says
	}
	if err := c.validate(lastOf(content["schema"]), body); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// route is a call as routes.go registers it.
type route struct {
	pattern string
	roles   []string // empty: any
	open    bool     // also without a token
}

// routesOfCode reads the calls of version 1, and whom they let in, from the code.
func routesOfCode(t *testing.T) []route {
	t.Helper()
	return append(routesOfFile(t, "node/routes.go"), routesOfFile(t, "rest/api.go")...)
}

func routesOfFile(t *testing.T, name string) (all []route) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		pattern, ok := call.Args[0].(*ast.BasicLit)
		if !ok || pattern.Kind != gotoken.STRING {
			return true
		}
		text, err := strconv.Unquote(pattern.Value)
		handler, isCall := call.Args[1].(*ast.CallExpr)
		if err != nil || !strings.Contains(text, " /v1/") || !isCall {
			return true
		}
		r := route{pattern: text}
		switch by := handler.Fun.(*ast.SelectorExpr).Sel.Name; by {
		case "allowViewers", "Viewers":
			r.open = true
		case "Anchors": // sockets may bring their token later
			r.open, r.roles = true, []string{"anchor"}
		case "allowRoles":
			for _, role := range handler.Args[1:] {
				r.roles = append(r.roles, strings.ToLower(role.(*ast.SelectorExpr).Sel.Name))
			}
		default:
			t.Errorf("%s: this test does not know whom %s lets in", text, by)
		}
		all = append(all, r)
		return true
	})
	return all
}

// The document has the calls that are registered, with the roles that they let
// in, and no others.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	code := map[string]route{}
	for _, r := range routesOfCode(t) {
		code[r.pattern] = r
	}
	hookPaths := []string{"", "/{first}", "/{first}/{second}"}
	for _, path := range hookPaths {
		code["POST /v1/hooks/{provider}"+path] = route{pattern: "POST /v1/hooks/{provider}" + path, open: true}
	}
	doc := documented().doc
	inDocument := 0
	for path, item := range walk(doc, "paths") {
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			inDocument++
			pattern := strings.ToUpper(method) + " " + path
			r, ok := code[pattern]
			if !ok {
				t.Errorf("the document has %s, which is not registered", pattern)
				continue
			}
			got := route{pattern: pattern}
			ways := op.(map[string]any)["security"].([]any)
			got.open = len(ways) == 0
			for _, way := range ways {
				roles, is := way.(map[string]any)["token"].([]any)
				got.open = got.open || !is
				for _, role := range roles {
					got.roles = append(got.roles, role.(string))
				}
			}
			if !slices.Equal(got.roles, r.roles) || got.open != r.open {
				t.Errorf("%s lets in %+v by the document, %+v by the code", pattern, got, r)
			}
		}
	}
	for pattern := range code {
		method, path, _ := strings.Cut(pattern, " ")
		if walk(doc, "paths", path, strings.ToLower(method)) == nil {
			t.Errorf("the document does not have %s", pattern)
		}
	}
	if inDocument != len(code) || len(code) < 20 {
		t.Errorf("%d calls are documented, %d registered", inDocument, len(code))
	}
	// Hooks are registered in a loop, which the above does not read.
	routes, err := http.NewRequest(http.MethodPost, "http://server/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []any
	node := serveTest(t).s
	mux := node.Handler()
	for name := range node.Callbacks.Handlers() {
		names = append(names, name)
		for _, path := range hookPaths {
			routes.URL.Path = "/v1/hooks/" + name + strings.NewReplacer("{first}", "a", "{second}", "b").Replace(path)
			seen := routes.Clone(t.Context())
			mux.ServeHTTP(&answerless{header: http.Header{}}, seen)
			if want := "POST /v1/hooks/" + name + path; seen.Pattern != want {
				t.Errorf("%s is served as %q, want %q", routes.URL.Path, seen.Pattern, want)
			}
		}
	}
	if got := walk(doc, "components", "parameters", "Provider", "schema")["enum"]; !reflect.DeepEqual(got, names) {
		t.Errorf("the document names the providers %v, want %v", got, names)
	}
}

// answerless is where an answer goes that nobody reads.
type answerless struct{ header http.Header }

func (a *answerless) Header() http.Header         { return a.header }
func (a *answerless) WriteHeader(int)             {}
func (a *answerless) Write(p []byte) (int, error) { return len(p), nil }

// What HTTP alone answers with has the members of the code's structs.
func TestOpenAPIHasTheMembersOfAnswers(t *testing.T) {
	for name, value := range map[string]any{
		"Problem": response.Problem{}, "Session": rest.SessionView{}, "Account": rest.Account{}, "Evidence": rest.Evidence{}, "Ban": rest.BanView{},
		"Recording": rest.RecordingView{}, "DeadLetter": rest.DeadLetter{}, "Addresses": rest.Addresses{}, "CodeAnswer": callbacks.CodeAnswer{}, "Summary": wire.Summary{},
	} {
		schema := walk(documented().doc, "components", "schemas", name)
		properties := schema["properties"].(map[string]any)
		var required []string
		for _, r := range schema["required"].([]any) {
			required = append(required, r.(string))
		}
		count := 0
		for _, f := range reflect.VisibleFields(reflect.TypeOf(value)) {
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous {
				continue
			}
			count++
			if properties[tag] == nil {
				t.Errorf("%s is documented without %s", name, tag)
			}
			if slices.Contains(required, tag) == (options == "omitempty") {
				t.Errorf("%s.%s: required %v, but the tag says %q", name, tag, slices.Contains(required, tag), options)
			}
		}
		if count != len(properties) {
			t.Errorf("%s is documented with %d members, and has %d", name, len(properties), count)
		}
	}
	var codes []string
	for _, c := range walk(documented().doc, "components", "schemas", "ErrorCode")["enum"].([]any) {
		codes = append(codes, c.(string))
	}
	for code := range response.Statuses {
		if !slices.Contains(codes, string(code)) || len(codes) != len(response.Statuses) {
			t.Errorf("the document has the codes %v, the code has %s", codes, code)
		}
	}
}

// The documents are served to everybody.
func TestDocumentsAreServed(t *testing.T) {
	s := serveTest(t)
	for path, want := range map[string]string{"/openapi.json": `"openapi": "3.1.0"`, "/asyncapi.json": `"asyncapi": "3.0.0"`, "/docs": "<title>onair: HTTP", "/docs/sockets": "<title>onair: sockets"} {
		a := s.call("GET", path, "", "").is(http.StatusOK)
		if !strings.Contains(string(a.body), want) {
			t.Errorf("%s does not have %s", path, want)
		}
		if kind := a.header.Get("Content-Type"); strings.HasSuffix(path, ".json") && (kind != "application/json" || !json.Valid(a.body)) {
			t.Errorf("%s is %s", path, kind)
		}
		s.call("GET", path, "", "", "If-None-Match: "+a.header.Get("ETag")).is(http.StatusNotModified)
	}
}
