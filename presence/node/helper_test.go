package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"onair/presence"
)

func sessionID(n int) (s presence.Session) {
	binary.BigEndian.PutUint64(s[8:], uint64(n))
	binary.LittleEndian.PutUint16(s[:2], uint16(n*7919))
	return s
}

// startOf is a start of session n by an anchor of that name.
func startOf(n int, anchor string) *presence.Start {
	return &presence.Start{Session: sessionID(n), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: fmt.Sprint("title ", n), Listed: true, Socket: fmt.Sprint("conn", n)}
}

// registryOf is a registry to which one batch of commands was applied.
func registryOf(t *testing.T, commands ...presence.Command) *presence.Registry {
	t.Helper()
	b := presence.Batch{Node: "a", Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules, Commands: commands}
	r := presence.NewRegistry()
	if _, err := r.Apply(presence.Entry{ID: presence.ID{MS: 1}, Num: 1, Time: 1, Epoch: "r1", Batch: b.Seal().Bytes}); err != nil {
		t.Fatal(err)
	}
	return r
}

func requireEqual(t *testing.T, what string, got, want *presence.Registry) {
	t.Helper()
	if !bytes.Equal(got.Encode(), want.Encode()) {
		t.Fatalf("%s: the registries differ", what)
	}
}

func check[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
