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

var messages = wire.EmptyMessages()

// object is a JSON object.
type object = map[string]any

func parse(t *testing.T, text []byte) (doc object) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// objectAt returns the object at a path of member names.
func objectAt(t *testing.T, doc object, path ...string) object {
	t.Helper()
	for _, step := range path {
		next, ok := doc[step].(object)
		if !ok {
			t.Fatalf("no %s in %s", step, strings.Join(path, "/"))
		}
		doc = next
	}
	return doc
}

func messageName(m wire.Message) string { return reflect.TypeOf(m).Elem().Name() }

// refName returns the last part of a reference.
func refName(v any) string {
	ref, _ := v.(object)["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// TestMessagesAreDocumented: the document has exactly the messages of the codec.
func TestMessagesAreDocumented(t *testing.T) {
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
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "header" {
				inCode[f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = true
			}
		}
	}
	delete(inCode, "Unknown") // a message of a newer server
	documented := objectAt(t, parse(t, api.AsyncAPI()), "components", "messages")
	for name := range inCode {
		if !slices.ContainsFunc(messages, func(m wire.Message) bool { return messageName(m) == name }) {
			t.Errorf("%s is missing in wire.EmptyMessages", name)
		}
	}
	for _, m := range messages {
		name := messageName(m)
		typ, _ := wire.Head(m)
		d, ok := documented[name].(object)
		switch {
		case !inCode[name]:
			t.Errorf("wire.EmptyMessages has %s, which has no method header", name)
		case !ok:
			t.Errorf("the document has no %s", name)
		case d["name"] != typ || refName(d["payload"]) != name:
			t.Errorf("%s is documented as %v, want the name %s and its own schema", name, d, typ)
		}
	}
	for name := range documented {
		if !inCode[name] {
			t.Errorf("the document has an unknown message %s", name)
		}
	}
}

// TestMessageMembers: the members of each message, and of objects in it, are those that the
// codec writes. Required are those that it always writes.
func TestMessageMembers(t *testing.T) {
	schemas := objectAt(t, parse(t, api.AsyncAPI()), "components", "schemas")
	for _, m := range messages {
		name := messageName(m)
		empty := reflect.New(reflect.TypeOf(m).Elem())
		full := reflect.New(reflect.TypeOf(m).Elem())
		setAllFields(full.Elem())
		requireSameMembers(t, schemas, name, objectAt(t, schemas, name),
			parse(t, wire.Append(nil, full.Interface().(wire.Message))), parse(t, wire.Append(nil, empty.Interface().(wire.Message))))
	}
	entry, patch := membersOf(t, schemas, objectAt(t, schemas, "Entry")), membersOf(t, schemas, objectAt(t, schemas, "Patch"))
	if got, want := sorted(patch.properties), sorted(entry.properties); !slices.Equal(got, want) {
		t.Errorf("a patch has %v, an entry %v", got, want)
	}
	if !slices.Equal(sorted(patch.required), []string{"code"}) {
		t.Errorf("a patch requires %v, want only code", sorted(patch.required))
	}
	for name, value := range patch.properties { // a patch may remove the optional members
		_, removable := value.(object)["oneOf"]
		if removable == entry.required[name] {
			t.Errorf("%s is required in an entry: %v, but removable by a patch: %v", name, entry.required[name], removable)
		}
	}
}

// setAllFields sets every field to a value that the codec writes.
func setAllFields(v reflect.Value) {
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
		setAllFields(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // an encoded form of another member
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setAllFields(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Null" {
				setAllFields(v.Field(i))
			}
		}
	default:
		panic("no value for " + v.Type().String())
	}
}

// memberSet holds the possible and required members of an object.
type memberSet struct {
	properties object
	required   map[string]bool
}

func membersOf(t *testing.T, schemas, schema object) memberSet {
	t.Helper()
	s := memberSet{properties: object{}, required: map[string]bool{}}
	parts, _ := schema["allOf"].([]any)
	for _, part := range append(parts, schema) {
		p := part.(object)
		if p["$ref"] != nil {
			p = objectAt(t, schemas, refName(p))
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

// requireSameMembers compares a schema with the encoding of a full and of an empty value.
func requireSameMembers(t *testing.T, schemas object, path string, schema, full, empty object) {
	t.Helper()
	s := membersOf(t, schemas, schema)
	if got, want := sorted(s.properties), sorted(full); !slices.Equal(got, want) {
		t.Errorf("%s is documented with %v, encoded with %v", path, got, want)
	}
	if got, want := sorted(s.required), sorted(empty); empty != nil && !slices.Equal(got, want) {
		t.Errorf("%s is documented to require %v, always encoded with %v", path, got, want)
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
		if property["$ref"] != nil && refName(property) != "Patch" {
			property = objectAt(t, schemas, refName(property))
		}
		if property["properties"] != nil {
			emptyInner, _ := empty[name].(object)
			requireSameMembers(t, schemas, path+"."+name, property, inner, emptyInner)
		}
	}
}

// TestDirections: requests are documented for the sockets that decode them, and sent messages
// are those that clients decode.
func TestDirections(t *testing.T) {
	doc := parse(t, api.AsyncAPI())
	schemas := objectAt(t, doc, "components", "schemas")
	decode := map[string]func([]byte) (wire.Message, error){"anchor": wire.DecodeAnchorRequest, "viewer": wire.DecodeViewerRequest}
	received, sent := map[string]bool{}, map[string]bool{}
	for name, v := range objectAt(t, doc, "operations") {
		op := v.(object)
		list := op["messages"].([]any)
		reply, _ := op["reply"].(object)
		set := sent
		if op["action"] == "receive" {
			set = received
			for _, replyRef := range reply["messages"].([]any) {
				sent[refName(op["channel"])+" "+refName(replyRef)] = true
			}
		}
		for _, m := range list {
			set[refName(op["channel"])+" "+refName(m)] = true
		}
		if len(list) != 1 {
			t.Errorf("%s has %d messages", name, len(list))
		}
	}
	for channel, c := range objectAt(t, doc, "channels") {
		for _, m := range messages {
			name := messageName(m)
			key := channel + " " + name
			_, isListed := c.(object)["messages"].(object)[name]
			if isListed != (received[key] || sent[key]) {
				t.Errorf("%s: a message of the channel: %v, of an operation: %v", key, isListed, !isListed)
			}
			example := exampleOf(t, schemas, name)
			request, err := decode[channel](example)
			if isDecoded := err == nil && messageName(request) == name; isDecoded != received[key] {
				t.Errorf("%s is documented as received: %v, decoded: %v (%v)", key, received[key], isDecoded, err)
			}
			if !sent[key] {
				continue
			}
			sentMessage, err := wire.DecodeServerMessage(example)
			if err != nil || messageName(sentMessage) != name {
				t.Errorf("%s is documented as sent, but decoded as %T, %v", key, sentMessage, err)
			}
		}
	}
}

// TestExamplesAreEncodings: the codec encodes the examples in the same way.
func TestExamplesAreEncodings(t *testing.T) {
	schemas := objectAt(t, parse(t, api.AsyncAPI()), "components", "schemas")
	for _, m := range messages {
		example := exampleOf(t, schemas, messageName(m))
		for _, decode := range []func([]byte) (wire.Message, error){wire.DecodeAnchorRequest, wire.DecodeViewerRequest, wire.DecodeServerMessage} {
			if decoded, err := decode(example); err == nil && messageName(decoded) == messageName(m) {
				if got := parse(t, wire.Append(nil, decoded)); !reflect.DeepEqual(got, parse(t, example)) {
					t.Errorf("the example %s is encoded as %v", example, got)
				}
			}
		}
	}
}

func exampleOf(t *testing.T, schemas object, name string) []byte {
	t.Helper()
	all, _ := objectAt(t, schemas, name)["examples"].([]any)
	if len(all) == 0 {
		t.Fatalf("%s has no example", name)
	}
	text, err := json.Marshal(all[0])
	if err != nil {
		t.Fatal(err)
	}
	return text
}
