package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// isTrace reports whether bytes are a non-empty execution trace.
func isTrace(b []byte) bool { return bytes.HasPrefix(b, []byte("go 1.")) && len(b) > 1000 }

// TestFlightRecorder: after a late diff a trace is written, and the log names its file. Here
// views send diffs every half second, and a tenth of that is late.
func TestFlightRecorder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "flight")
	p := startProcess(t, "memory", "--flight.dir", dir, "--flight.latency", "50ms", "--hub.tick", "500ms", "--viewer.anonymous", "true")
	viewer := p.dial("/v1/viewer", "")
	nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
	for _, who := range []string{"alice", "bob"} {
		var a *nodetest.Client
		nodetest.Eventually(t, "an anchor is let in", func() (in bool) { // a node that the machine has kept from speaking takes none
			var err error
			a, err = p.tryDial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, who))
			return err == nil
		})
		nodetest.RequestReply[*wire.Started](a, &wire.Start{ID: a.NextID(), Title: "Hello"})
	}
	for late := time.Now().Add(nodetest.ProcessTimeout); p.metricText("onair_flight_recordings_total") != "1"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("nothing was recorded; the log: %s", p.logText())
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.trace"))
	if err != nil || len(files) != 1 {
		t.Fatalf("recorded: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !isTrace(text) {
		t.Errorf("%d bytes, %.20q, are no trace: %v", len(text), text, err)
	}
	if !strings.Contains(p.logText(), filepath.Base(files[0])) {
		t.Errorf("the log does not name the file: %s", p.logText())
	}
	var asking sync.WaitGroup
	for range 4 { // the recorder lets one at a time
		asking.Go(func() {
			res, err := http.Get("http://" + p.ops + "/debug/flight")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if now, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !isTrace(now) {
				t.Errorf("GET /debug/flight: status %d, %d bytes, %v", res.StatusCode, len(now), err)
			}
		})
	}
	asking.Wait()
}

// TestFlightRecorderOff: without a directory there is no trace to read.
func TestFlightRecorderOff(t *testing.T) {
	p := startProcess(t, "memory")
	res, err := http.Get("http://" + p.ops + "/debug/flight")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusNotFound || !bytes.Contains(text, []byte("flight.dir")) {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}
