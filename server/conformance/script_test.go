package conformance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"onair/hub/wire"
)

// actionLists returns the actions of each step.
func actionLists(s Script) (lists [][]action) {
	for _, step := range s.steps {
		lists = append(lists, step.actions)
	}
	return lists
}

// TestEmbeddedScripts: all messages and close codes of the scripts are valid.
func TestEmbeddedScripts(t *testing.T) {
	for _, name := range []string{"anchor", "viewer"} {
		s, err := EmbeddedScript(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range slices.Concat(actionLists(s)...) {
			for _, m := range []map[string]any{a.Send, a.Answer} {
				if m == nil {
					continue
				}
				data, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := wire.DecodeServerMessage(data); err != nil {
					t.Errorf("%s: %s: %v", name, data, err)
				}
			}
			if a.Close != 0 && !wire.IsCloseCode(a.Close) {
				t.Errorf("%s: invalid close code %d", name, a.Close)
			}
		}
	}
	if _, err := EmbeddedScript("nobody"); err == nil {
		t.Error("a script for an unknown socket")
	}
}

// TestInvalidScripts: the error names the line and the problem.
func TestInvalidScripts(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "empty",
		"# a\n\n" + `{"step":"a"}`:            "line 3: the first action must be welcome",
		`{"welcome":{}}` + "\n" + `{"hop":1}`: "line 2: json: unknown field",
		`{"welcome":{}}` + "\n" + `{"drop":true,"close":4200}`: "line 2: an action must have one verb, has 2",
		`{"welcome":{}}` + "\n" + `{"on":"a"}`:                 "one verb, has 0",
		`{"welcome":{}}` + "\n" + `{"beats":2}`:                "every_ms",
		`{"welcome":{}}` + "\n" + `{"never":["beat"]}`:         "for_ms",
		`{"welcome":{}}` + "\n" + `{"acks":"perhaps"}`:         "perhaps",
	} {
		if _, err := ParseScript("viewer", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := ParseScript("events", nil); err == nil {
		t.Error("a script for an unknown socket")
	}
}
