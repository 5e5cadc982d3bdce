package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"onair/hub/wire"
	"onair/server/api"
)

var messages = wire.Messages()

// object is a JSON object.
type object = map[string]any

func parse(t *testing.T, text []byte) (doc object) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// under is what a path leads to, which must be an object.
func under(t *testing.T, doc object, path ...string) object {
	t.Helper()
	for _, step := range path {
		next, ok := doc[step].(object)
		if !ok {
			t.Fatalf("there is no %s in %s", step, strings.Join(path, "/"))
		}
		doc = next
	}
	return doc
}

func nameOf(m wire.Message) string { return reflect.TypeOf(m).Elem().Name() }

// lastOf is the last part of the reference that an object is.
func lastOf(v any) string {
	ref, _ := v.(object)["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// The document has the messages of the codec, all of them and no others.
func TestEveryMessage(t *testing.T) {
	inCode := map[string]bool{}
	files, err := filepath.Glob("../../hub/wire/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Head" {
				inCode[f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = true
			}
		}
	}
	delete(inCode, "Unknown") // what a newer server might send
	documented := under(t, parse(t, api.AsyncAPI()), "components", "messages")
	for name := range inCode {
		if !slices.ContainsFunc(messages, func(m wire.Message) bool { return nameOf(m) == name }) {
			t.Errorf("%s is missing in wire.Messages", name)
		}
	}
	for _, m := range messages {
		name := nameOf(m)
		typ, _ := m.Head()
		d, ok := documented[name].(object)
		switch {
		case !inCode[name]:
			t.Errorf("wire.Messages has %s, which has no method Head", name)
		case !ok:
			t.Errorf("the document has no %s", name)
		case d["name"] != typ || lastOf(d["payload"]) != name:
			t.Errorf("%s is documented as %v, want name %s and its own schema", name, d, typ)
		}
	}
	for name := range documented {
		if !inCode[name] {
			t.Errorf("the document has %s, which is no message", name)
		}
	}
}

// Each message, and what it is made of, has the members that the codec writes;
// those are required that it writes even when they are empty.
func TestMembersOfMessages(t *testing.T) {
	schemas := under(t, parse(t, api.AsyncAPI()), "components", "schemas")
	for _, m := range messages {
		name := nameOf(m)
		empty := reflect.New(reflect.TypeOf(m).Elem())
		full := reflect.New(reflect.TypeOf(m).Elem())
		fill(full.Elem())
		compare(t, schemas, name, under(t, schemas, name),
			parse(t, wire.Append(nil, full.Interface().(wire.Message))), parse(t, wire.Append(nil, empty.Interface().(wire.Message))))
	}
	entry, patch := shapeOf(t, schemas, under(t, schemas, "Entry")), shapeOf(t, schemas, under(t, schemas, "Patch"))
	if got, want := sorted(patch.properties), sorted(entry.properties); !slices.Equal(got, want) {
		t.Errorf("a patch has %v, an entry %v", got, want)
	}
	if !slices.Equal(sorted(patch.required), []string{"code"}) {
		t.Errorf("a patch requires %v, want code alone", sorted(patch.required))
	}
	for name, value := range patch.properties { // what an entry may lack a patch may remove
		_, removable := value.(object)["oneOf"]
		if removable == entry.required[name] {
			t.Errorf("%s is required in an entry: %v, but removable by a patch: %v", name, entry.required[name], removable)
		}
	}
}

// fill gives every field a value that the codec writes.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case wire.ID:
		v.SetString("1")
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"a":1}`))
		return
	case wire.PlayURL:
		v.Set(reflect.ValueOf(wire.PlayURL{Protocol: "flv", URL: "https://p"}))
		return
	case wire.Patch:
		v.Set(reflect.ValueOf(wire.Patch{Code: "x", Members: map[string]json.RawMessage{"viewers": []byte("1")}}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // another form of a member that is written already
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Null" {
				fill(v.Field(i))
			}
		}
	default:
		panic("no value for " + v.Type().String())
	}
}

// shape is what an object may and must have.
type shape struct {
	properties object
	required   map[string]bool
}

func shapeOf(t *testing.T, schemas, schema object) shape {
	t.Helper()
	s := shape{properties: object{}, required: map[string]bool{}}
	parts, _ := schema["allOf"].([]any)
	for _, part := range append(parts, schema) {
		p := part.(object)
		if p["$ref"] != nil {
			p = under(t, schemas, lastOf(p))
		}
		properties, _ := p["properties"].(object)
		maps.Copy(s.properties, properties)
		required, _ := p["required"].([]any)
		for _, name := range required {
			s.required[name.(string)] = true
		}
	}
	return s
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// compare holds a schema to what the codec wrote of a full and of an empty value.
func compare(t *testing.T, schemas object, where string, schema, full, empty object) {
	t.Helper()
	s := shapeOf(t, schemas, schema)
	if got, want := sorted(s.properties), sorted(full); !slices.Equal(got, want) {
		t.Errorf("%s is documented with %v, and written with %v", where, got, want)
	}
	if got, want := sorted(s.required), sorted(empty); empty != nil && !slices.Equal(got, want) {
		t.Errorf("%s is documented to require %v, and always written with %v", where, got, want)
	}
	for name, value := range full {
		if list, ok := value.([]any); ok {
			value = list[0]
		}
		inner, isObject := value.(object)
		if !isObject {
			continue
		}
		property := s.properties[name].(object)
		if items := property["items"]; items != nil {
			property = items.(object)
		}
		if property["$ref"] != nil && lastOf(property) != "Patch" {
			property = under(t, schemas, lastOf(property))
		}
		if property["properties"] != nil {
			none, _ := empty[name].(object)
			compare(t, schemas, where+"."+name, property, inner, none)
		}
	}
}

// A request is received on the sockets that take it, and no other; what the
// server sends is one of its messages.
func TestDirections(t *testing.T) {
	doc := parse(t, api.AsyncAPI())
	schemas := under(t, doc, "components", "schemas")
	decode := map[string]func([]byte) (wire.Message, error){"anchor": wire.DecodeAnchorRequest, "viewer": wire.DecodeViewerRequest}
	received, sent := map[string]bool{}, map[string]bool{}
	for name, v := range under(t, doc, "operations") {
		op := v.(object)
		list := op["messages"].([]any)
		reply, _ := op["reply"].(object)
		to := sent
		if op["action"] == "receive" {
			to = received
			for _, answer := range reply["messages"].([]any) {
				sent[lastOf(op["channel"])+" "+lastOf(answer)] = true
			}
		}
		for _, m := range list {
			to[lastOf(op["channel"])+" "+lastOf(m)] = true
		}
		if len(list) != 1 {
			t.Errorf("%s is about %d messages", name, len(list))
		}
	}
	for channel, c := range under(t, doc, "channels") {
		for _, m := range messages {
			name := nameOf(m)
			at := channel + " " + name
			_, there := c.(object)["messages"].(object)[name]
			if there != (received[at] || sent[at]) {
				t.Errorf("%s: among the channel's messages: %v, of an operation: %v", at, there, !there)
			}
			example := exampleOf(t, schemas, name)
			asked, err := decode[channel](example)
			if takes := err == nil && nameOf(asked) == name; takes != received[at] {
				t.Errorf("%s is documented as received: %v, and taken: %v (%v)", at, received[at], takes, err)
			}
			if !sent[at] {
				continue
			}
			told, err := wire.DecodeServerMessage(example)
			if err != nil || nameOf(told) != name {
				t.Errorf("%s is documented as sent, but a client reads it as %T, %v", at, told, err)
			}
		}
	}
}

// Examples are as the codec would write them.
func TestExamplesAreWritten(t *testing.T) {
	schemas := under(t, parse(t, api.AsyncAPI()), "components", "schemas")
	for _, m := range messages {
		example := exampleOf(t, schemas, nameOf(m))
		for _, decode := range []func([]byte) (wire.Message, error){wire.DecodeAnchorRequest, wire.DecodeViewerRequest, wire.DecodeServerMessage} {
			if read, err := decode(example); err == nil && nameOf(read) == nameOf(m) {
				if got := parse(t, wire.Append(nil, read)); !reflect.DeepEqual(got, parse(t, example)) {
					t.Errorf("the example %s is written as %v", example, got)
				}
			}
		}
	}
}

func exampleOf(t *testing.T, schemas object, name string) []byte {
	t.Helper()
	all, _ := under(t, schemas, name)["examples"].([]any)
	if len(all) == 0 {
		t.Fatalf("%s has no example", name)
	}
	text, err := json.Marshal(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return text
}
