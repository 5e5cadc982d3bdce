package livecode

import (
	"strings"
	"testing"

	"onair/presence"
)

func TestCode(t *testing.T) {
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
				t.Errorf("%s: error %v does not name the anchor", c.anchor, err)
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
		t.Error("two anchors have the same hash")
	}
	if other, _ := (Template{bizid: "8888", template: "{bizid}_{anchor_hash}", hashKey: []byte("other")}).Code("艾丽丝", "", s); a == other {
		t.Error("two keys give the same hash")
	}
}
