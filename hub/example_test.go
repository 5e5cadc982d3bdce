package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/coder/websocket"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// messages is a connection in memory. Its client reads from the channel.
type messages chan string

func (m messages) OnWritable(func(error)) {}

func (m messages) Write(msg socket.Message) (full bool, err error) {
	frame := msg.AppendFrame(nil, false)
	m <- string(frame[bytes.IndexByte(frame, '{'):])
	return false, nil
}

func (m messages) Close(websocket.StatusCode, string) error { return nil }
func (m messages) CloseNow() error                          { return nil }

func position(entry uint64) presence.Position { return presence.Position{ID: presence.ID{MS: entry}} }

// A viewer receives a snapshot, and then a diff when its view changes.
func Example() {
	h := hub.New(hub.Options{})
	alice := &presence.Stream{Code: "alice", Anchor: "1", List: "live", State: presence.Live, StartedAt: 1000, Listed: true, Shown: true}
	h.Load(slices.Values([]*presence.Stream{alice}), position(1), 1000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go h.Run(ctx)

	viewer := make(messages, 1)
	s := h.Attach(viewer)
	defer s.Close()
	if e := h.Subscribe(s, &wire.Subscribe{ID: "1"}); e != nil {
		fmt.Println(e)
	}
	fmt.Println(<-viewer)

	h.Apply(position(2), 2000, []presence.Change{{Old: alice}}, time.Time{}) // the stream ends
	fmt.Println(<-viewer)
	// Output:
	// {"type":"snapshot","id":1,"view":"live/viewers/100","pos":"1-0.00000000","total":1,"streams":[{"code":"alice","anchor":"1","title":"","state":"live","started_at":1000,"viewers":0,"likes":0}]}
	// {"type":"diff","view":"live/viewers/100","prev":"1-0.00000000","pos":"2-0.00000000","total":0,"del":["alice"]}
}

// A page is the first part of a view as JSON; its cursor leads to the next one.
func ExampleHub_Page() {
	h := hub.New(hub.Options{})
	alice := &presence.Stream{Code: "alice", Anchor: "1", List: "live", State: presence.Live, StartedAt: 1000, Listed: true, Shown: true}
	bob := &presence.Stream{Code: "bob", Anchor: "2", List: "live", State: presence.Live, StartedAt: 2000, Viewers: 5, Listed: true, Shown: true}
	h.Load(slices.Values([]*presence.Stream{alice, bob}), position(1), 2000)

	page, e := h.Page(&wire.Subscribe{Limit: 1}, "")
	if e != nil {
		fmt.Println(e)
	}
	fmt.Println(string(page))
	// Output:
	// {"view":"live/viewers/1","pos":"1-0.00000000","total":2,"streams":[{"code":"bob","anchor":"2","title":"","state":"live","started_at":2000,"viewers":5,"likes":0}],"cursor":"eyJzIjoidmlld2VycyIsImIiOjUsInQiOjIwMDAsImMiOiJib2IifQ"}
}
