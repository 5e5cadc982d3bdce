package presence_test

import (
	"fmt"

	"onair/presence"
)

// A registry applies the entries of a log. The same entries give the same
// registry on every node.
func Example() {
	r := presence.NewRegistry()
	start := &presence.Start{Session: presence.NewSession(), Anchor: "alice", Code: "8888_alice", List: "live", Title: "Tea & talk", Listed: true}
	batch := &presence.Batch{Node: "a", Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules, Commands: []presence.Command{start}}
	applied, err := r.Apply(presence.Entry{
		ID: presence.ID{MS: 1763830000000}, Num: 1, Time: 1763830000000, Epoch: "e1", Batch: batch.Seal().Bytes,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, change := range applied.Changes {
		fmt.Println(change.Cause, change.New.Code, change.New.State)
	}
	fmt.Println(r.Len(), r.Leader(), applied.Results[0].TTL)
	// Output:
	// start 8888_alice starting
	// 1 a 185000
}

// A snapshot is a registry's records. Two registries are equal when their
// snapshots are.
func ExampleRegistry_Encode() {
	r := presence.NewRegistry()
	snapshot := r.Encode()
	loaded, err := presence.DecodeRegistry(snapshot)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(loaded.Encode()) == string(snapshot))
	// Output: true
}

// A position is opaque to clients, and has one text form.
func ExampleParsePosition() {
	position, err := presence.ParsePosition("1763830000123-0.9f3c21ab")
	fmt.Println(position.ID.MS, position, err)
	_, err = presence.ParsePosition("yesterday")
	fmt.Println(err)
	// Output:
	// 1763830000123 1763830000123-0.9f3c21ab <nil>
	// presence: not a position
}

// Evidence shows why a stream is in its state.
func ExampleRegistry_Explain() {
	r := presence.NewRegistry()
	session := presence.NewSession()
	batch := &presence.Batch{Node: "a", Incarnation: 1, Process: 1, Seq: 1, MaxRules: presence.LatestRules, Commands: []presence.Command{
		&presence.Start{Session: session, Anchor: "alice", Code: "8888_alice", List: "live"},
		&presence.Observe{Session: session, Source: presence.FromCallback, Signal: presence.PushStarted, Push: "client-7"},
	}}
	if _, err := r.Apply(presence.Entry{ID: presence.ID{MS: 1}, Num: 1, Time: 1, Epoch: "e1", Batch: batch.Seal().Bytes}); err != nil {
		fmt.Println(err)
		return
	}
	explanation, _ := r.Explain(session)
	fmt.Println(explanation.Stream.State, explanation.Rule)
	for _, e := range explanation.Evidence {
		fmt.Printf("%v: %v\n", e.Source, e.Signal)
	}
	// Output:
	// live heard
	// heartbeat: heard
	// callback: publish_begun
}
