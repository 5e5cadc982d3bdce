package livecode

import (
	"strings"
	"testing"

	"onair/presence"
)

func TestLiveCode(t *testing.T) {
	var s presence.Session
	key := []byte("key")
	for _, c := range []struct{ template, anchor, want string }{
		{"{bizid}_{anchor}", "alice", "8888_alice"},
		{"{bizid}_{anchor}_x", "alice1", "8888_alice1_x"},
		{"{bizid}_{session}", "alice", "8888_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"{bizid}_{anchor}", "al ice", ""},
		{"{bizid}_{anchor}", "al/ice", ""},
		{"{bizid}_{anchor}", "艾丽丝", ""},
		{"{bizid}_{anchor}", strings.Repeat("a", 124), ""},
		{"{bizid}_{anchor}", "{session}", ""},
	} {
		got, err := Template{bizid: "8888", template: c.template, hashKey: key}.Code(c.anchor, "", s)
		if err != nil {
			got = ""
			if !strings.Contains(err.Error(), c.anchor) {
				t.Errorf("%s: the error does not name the anchor: %v", c.anchor, err)
			}
		}
		if got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.template, c.anchor, got, c.want)
		}
	}
	hash := Template{bizid: "8888", template: "{bizid}_{anchor_hash}", hashKey: key}
	a, err := hash.Code("艾丽丝", "", s)
	if err != nil || len(a) != len("8888_")+20 {
		t.Errorf("hashed code %q, %v", a, err)
	}
	if b, _ := hash.Code("alice", "", s); a == b {
		t.Error("two anchors have one hash")
	}
	if other, _ := (Template{bizid: "8888", template: "{bizid}_{anchor_hash}", hashKey: []byte("other")}).Code("艾丽丝", "", s); a == other {
		t.Error("two keys give one hash")
	}
}

// TestAmbiguousCodes: where a code may end in a hexadecimal digit of the
// anchor's choosing, the operator is told at start (fault F3: txSecret has no
// separators).
func TestAmbiguousCodes(t *testing.T) {
	for template, want := range map[string]bool{
		"{bizid}_{anchor}": true, "{bizid}_{anchor}_f": true, "{bizid}_{anchor}_9": true,
		"{bizid}_{anchor}_x": false, "{bizid}_{session}": false, "{bizid}_{anchor_hash}": false,
	} {
		if got := (Template{bizid: "8888", template: template}).CanEndInAnchorHexDigit(); got != want {
			t.Errorf("%s: %v, want %v", template, got, want)
		}
	}
}
