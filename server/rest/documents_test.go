package rest_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"onair/hub/wire"
	"onair/server/callbacks"
	"onair/server/nodetest"
	"onair/server/response"
	"onair/server/rest"
)

// route is a call as routes.go registers it.
type route struct {
	pattern string
	roles   []string // empty: any
	open    bool     // also without a token
}

// routesOfCode reads the calls of version 1, and whom they let in, from the code.
func routesOfCode(t *testing.T) []route {
	t.Helper()
	return append(routesOfFile(t, "../node/routes.go"), routesOfFile(t, "api.go")...)
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
		case "requireViewer", "ViewerHandler":
			r.open = true
		case "AnchorHandler": // sockets may bring their token later
			r.open, r.roles = true, []string{"anchor"}
		case "requireRoleAndCallRate":
			for _, role := range handler.Args[1:] {
				r.roles = append(r.roles, strings.ToLower(role.(*ast.SelectorExpr).Sel.Name))
			}
		default:
			t.Errorf("%s: unknown authorization function %s", text, by)
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
		for _, method := range []string{"GET", "POST"} {
			pattern := method + " /v1/hooks/{provider}" + path
			code[pattern] = route{pattern: pattern, open: true}
		}
	}
	doc := nodetest.LoadContract().Document
	inDocument := 0
	for path, item := range nodetest.ObjectAt(doc, "paths") {
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
				t.Errorf("%s requires %+v by the document, %+v by the code", pattern, got, r)
			}
		}
	}
	for pattern := range code {
		method, path, _ := strings.Cut(pattern, " ")
		if nodetest.ObjectAt(doc, "paths", path, strings.ToLower(method)) == nil {
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
	var documented []string
	for _, name := range nodetest.ObjectAt(doc, "components", "parameters", "Provider", "schema")["enum"].([]any) {
		documented = append(documented, name.(string))
	}
	slices.Sort(documented)
	node := nodetest.Serve(t).Node
	mux := node.PublicHandler()
	var names []string
	for pattern := range node.Callbacks.Handlers() {
		if name, ok := strings.CutPrefix(pattern, "POST /v1/hooks/"); ok && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, path := range hookPaths {
			routes.URL.Path = "/v1/hooks/" + name + strings.NewReplacer("{first}", "a", "{second}", "b").Replace(path)
			seen := routes.Clone(t.Context())
			mux.ServeHTTP(&answerless{header: http.Header{}}, seen)
			if want := "POST /v1/hooks/" + name + path; seen.Pattern != want {
				t.Errorf("%s is served as %q, want %q", routes.URL.Path, seen.Pattern, want)
			}
		}
	}
	if !slices.Equal(documented, names) {
		t.Errorf("the document names the providers %v, want %v", documented, names)
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
		"Problem": response.Problem{}, "Session": rest.SessionView{}, "Account": rest.ExplanationView{}, "Evidence": rest.EvidenceView{}, "Ban": rest.BanView{},
		"Recording": rest.RecordingView{}, "DeadLetter": rest.DeadLetterView{}, "Addresses": rest.SignedURLs{}, "CodeAnswer": callbacks.CodeAnswer{}, "Summary": wire.Summary{},
	} {
		schema := nodetest.ObjectAt(nodetest.LoadContract().Document, "components", "schemas", name)
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
	for _, c := range nodetest.ObjectAt(nodetest.LoadContract().Document, "components", "schemas", "ErrorCode")["enum"].([]any) {
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
	s := nodetest.Serve(t)
	for path, want := range map[string]string{"/openapi.json": `"openapi": "3.1.0"`, "/asyncapi.json": `"asyncapi": "3.0.0"`, "/docs": "<title>onair: HTTP", "/docs/sockets": "<title>onair: sockets"} {
		a := s.Call("GET", path, "", "").RequireStatus(http.StatusOK)
		if !strings.Contains(string(a.Body), want) {
			t.Errorf("%s does not have %s", path, want)
		}
		if kind := a.Header.Get("Content-Type"); strings.HasSuffix(path, ".json") && (kind != "application/json" || !json.Valid(a.Body)) {
			t.Errorf("%s is %s", path, kind)
		}
		s.Call("GET", path, "", "", "If-None-Match: "+a.Header.Get("ETag")).RequireStatus(http.StatusNotModified)
	}
}
