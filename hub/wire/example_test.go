package wire_test

import (
	"fmt"

	"onair/hub/wire"
)

func ExampleDecodeAnchorRequest() {
	for _, data := range []string{`{"type":"beat","id":1,"n":7}`, `{"type":"beat","id":2}`} {
		switch m, err := wire.DecodeAnchorRequest([]byte(data)); m := m.(type) {
		case nil:
			fmt.Println(string(wire.Append(nil, err.(*wire.Error))))
		case *wire.Beat:
			fmt.Println(string(wire.Append(nil, &wire.Ack{ID: m.ID, N: m.N, ServerTime: 1763830000123, DeadlineInMS: 180000})))
		}
	}
	// Output:
	// {"type":"ack","id":1,"n":7,"server_time":1763830000123,"deadline_in_ms":180000}
	// {"type":"error","id":2,"code":"bad_request","message":"n is required"}
}

// One encoded body serves the sockets that get the diff unasked, and the answer
// to a Subscribe with an id.
func ExampleBodyWriter() {
	old := wire.Entry{Code: "8888_alice", Anchor: "alice", State: wire.StateLive, Viewers: 1200}
	changed := old
	changed.Viewers = 1201

	b := wire.BeginDiff(nil, "live/hot100", "1-0.9f", "2-2.07")
	b.AddSet(&old, &changed)
	b.AddDel("8888_carol")
	body := b.End()

	fmt.Println(string(append(wire.AppendHead(nil, wire.TypeDiff, wire.IntID(5)), body...)))
	// Output:
	// {"type":"diff","id":5,"view":"live/hot100","prev":"1-0.9f","pos":"2-2.07","set":[{"code":"8888_alice","viewers":1201}],"del":["8888_carol"]}
}

func ExampleClientView() {
	var view wire.ClientView
	for _, data := range []string{
		`{"type":"snapshot","id":1,"view":"live","pos":"1","total":1,"streams":[{"code":"8888_alice","viewers":7}]}`,
		`{"type":"diff","view":"live","prev":"1","pos":"2","set":[{"code":"8888_alice","viewers":9}]}`,
		`{"type":"diff","view":"live","prev":"3","pos":"4","del":["8888_alice"]}`, // the diff before it was lost
	} {
		m, err := wire.DecodeServerMessage([]byte(data))
		if err != nil {
			fmt.Println(err)
			return
		}
		if view.Apply(m) {
			resync := wire.Subscribe{ID: wire.IntID(2), Pos: view.Pos()}
			fmt.Println(string(wire.Append(nil, &resync)))
		}
	}
	for _, e := range view.Sorted(wire.SortViewers) {
		fmt.Println(e.Code, e.Viewers)
	}
	// Output:
	// {"type":"subscribe","id":2,"pos":"2"}
	// 8888_alice 9
}
