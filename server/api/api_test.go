package api_test

import (
	"bytes"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"onair/server/api"
)

// forEachObject calls f with every object of a document and its path.
func forEachObject(v any, path string, f func(path string, o object)) {
	switch v := v.(type) {
	case object:
		f(path, v)
		for name, inner := range v {
			escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			forEachObject(inner, path+"/"+escaped, f)
		}
	case []any:
		for _, inner := range v {
			forEachObject(inner, path+"/-", f)
		}
	}
}

// TestDocumentsAreComplete: all references resolve, and examples match their schemas.
func TestDocumentsAreComplete(t *testing.T) {
	for name, text := range map[string][]byte{"openapi.json": api.OpenAPI(), "asyncapi.json": api.AsyncAPI()} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("onair:"+name, doc); err != nil {
			t.Fatal(err)
		}
		forEachObject(doc, "#", func(path string, o object) {
			if ref, ok := o["$ref"].(string); ok {
				target := doc
				for _, step := range strings.Split(ref, "/")[1:] {
					target = target.(object)[step]
				}
				if len(o) > 2 || len(o) == 2 && o["description"] == nil {
					// Draft 7, which AsyncAPI uses, ignores other members.
					t.Errorf("%s: the reference at %s has members other than a description", name, path)
				}
				if !strings.HasPrefix(ref, "#/") || target == nil {
					t.Errorf("%s: %s refers to %s, which does not exist", name, path, ref)
				}
			}
			examples, _ := o["examples"].([]any)
			if examples == nil || strings.HasSuffix(path, "/properties") || strings.Contains(path, "/-") {
				return
			}
			schema, err := c.Compile("onair:" + name + path)
			if err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
				return
			}
			for _, example := range examples {
				if err := schema.Validate(example); err != nil {
					t.Errorf("%s: the example at %s: %v", name, path, err)
				}
			}
		})
	}
}

// TestSharedSchemas are equal in both documents.
func TestSharedSchemas(t *testing.T) {
	open := objectAt(t, parse(t, api.OpenAPI()), "components", "schemas")
	shared := 0
	for name, schema := range objectAt(t, parse(t, api.AsyncAPI()), "components", "schemas") {
		if other, ok := open[name]; ok {
			shared++
			if !reflect.DeepEqual(schema, other) {
				t.Errorf("%s differs between the documents", name)
			}
		}
	}
	if shared < 20 {
		t.Errorf("the documents share %d schemas", shared)
	}
}

func TestHandler(t *testing.T) {
	for path, contentType := range map[string]string{
		"/openapi.json": "application/json", "/asyncapi.json": "application/json",
		"/docs": "text/html; charset=utf-8", "/docs/sockets": "text/html; charset=utf-8",
	} {
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		etag := w.Header().Get("ETag")
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || w.Header().Get("Content-Type") != contentType || len(etag) < 10 || !strings.HasPrefix(policy, "default-src 'none'; ") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", etag)
		w = httptest.NewRecorder()
		api.Handler().ServeHTTP(w, r)
		if w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%s with its ETag: %d and %d bytes", path, w.Code, w.Body.Len())
		}
	}
}

// TestListOverHTTP have every operation and every message, and no broken links.
func TestListOverHTTP(t *testing.T) {
	pages := map[string]string{}
	for _, path := range []string{"/docs", "/docs/sockets"} {
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		page := w.Body.String()
		pages[path] = page
		for part := range strings.SplitSeq(page, `href="#`) {
			if id, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(part, "<!") && !strings.Contains(page, ` id="`+id+`"`) {
				t.Errorf("%s links to %s, which it does not have", path, id)
			}
		}
		if strings.Contains(page, "<script") || strings.Contains(page, " style=") || strings.Contains(page, "ZgotmplZ") {
			t.Errorf("%s contains what its policy forbids", path)
		}
	}
	for path, item := range objectAt(t, parse(t, api.OpenAPI()), "paths") {
		for method, call := range item.(object) {
			if method == "parameters" {
				continue
			}
			want := `<article id="` + call.(object)["operationId"].(string) + `">`
			if !strings.Contains(pages["/docs"], want) || !strings.Contains(pages["/docs"], `</span><code>`+path+`</code>`) {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	for channel, c := range objectAt(t, parse(t, api.AsyncAPI()), "channels") {
		for name := range c.(object)["messages"].(object) {
			if !strings.Contains(pages["/docs/sockets"], `<article id="`+channel+"-"+name+`">`) {
				t.Errorf("%s of the %s socket is not on the page", name, channel)
			}
		}
	}
}
