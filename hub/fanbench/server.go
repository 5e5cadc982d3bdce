//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"sync/atomic"
	"time"
)

// Roles of servers.
const (
	roleHub     = "hub"
	roleLibrary = "library"
)

// command is what control has a server do. The server answers each with a
// report.
type command struct {
	Action string // see server.runCommand

	// connect
	ClientCore  int // the client's own core, on which it never sleeps, or anyCore
	Viewers     int
	FastViewers int
	SlowBuffer  int

	// send
	Method   string // methodRaw, …
	Frames   int
	OnlyFast bool // a frame has arrived when the fast viewers have it

	Frame []byte // set-frame: for methodRaw and methodLibrary

	// slow, see task
	SlowViewers int
	ReadRate    int

	Duration time.Duration // quiet, sleep; send: the longest wait for one frame
	File     string        // profile, trace
}

// Methods to send a frame to all viewers.
const (
	methodRaw     = "raw"
	methodHub     = "hub"
	methodLibrary = "library"
)

// report is a server's answer to a command.
type report struct {
	Error string

	CPU time.Duration // of this process: connect, subscribe and send

	// send
	Expected  int // frames
	Delivered int
	Extra     int
	Different int
	Mallocs   uint64
	ClientCPU time.Duration
	Frame     []byte          // the last one delivered
	P99       []time.Duration // to all viewers, for each frame
	FastP99   []time.Duration // to the fast viewers

	// memory, in bytes
	Resident      int64 // of this process
	ServerBuffers int64 // of the kernel, at this process's ends
	ViewerBuffers int64 // of the kernel, at the slow viewers' ends
	AllTCPBuffers int64 // of the whole machine
}

type server struct {
	role        string
	http        *http.Server
	port        int
	connected   atomic.Int64    // viewers so far
	list        *benchList      // roleHub
	library     *libraryHandler // roleLibrary
	client      *process
	viewers     int
	fastViewers int
	sockets     []int // descriptors of the viewers' connections
	frame       []byte
	stopProfile func() error
}

func runServer(role string, in io.Reader, out io.Writer) error {
	s := &server{role: role}
	if err := s.listen(); err != nil {
		return err
	}
	defer func() {
		if s.client != nil {
			s.client.stop()
		}
	}()
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c command
		if err := decoder.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r := &report{}
		if err := s.runCommand(&c, r); err != nil {
			r.Error = err.Error()
		}
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
}

// listen starts the WebSocket server.
func (s *server) listen() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	onConnected := func() { s.connected.Add(1) }
	var handler http.Handler
	if s.role == roleLibrary {
		s.library = &libraryHandler{onConnected: onConnected}
		handler = s.library
	} else {
		options, err := socketOptions()
		if err != nil {
			return err
		}
		s.list = newBenchList()
		go s.list.hub.Run(context.Background())
		handler = &hubHandler{hub: s.list.hub, options: options, onConnected: onConnected}
	}
	s.http = &http.Server{Handler: handler}
	go s.http.Serve(l) // until the process ends
	return nil
}

func (s *server) runCommand(c *command, r *report) (err error) {
	switch c.Action {
	case "connect":
		return s.connectViewers(c, r)
	case "subscribe":
		return s.subscribeViewers(r)
	case "send":
		return s.sendFrames(c, r)
	case "set-frame":
		s.frame = c.Frame
	case "calibrate":
		return s.calibrateSize(r)
	case "slow":
		_, err = s.runTask(&task{Action: "slow", SlowViewers: c.SlowViewers, ReadRate: c.ReadRate})
	case "fill-buffers":
		s.list.fillBuffers()
	case "quiet":
		_, err = s.runTask(&task{Action: "quiet", Timeout: c.Duration})
	case "sleep":
		time.Sleep(c.Duration)
	case "collect":
		debug.FreeOSMemory()
	case "memory":
		return s.measureMemory(r)
	case "profile", "trace":
		return s.startProfile(c)
	case "stop-profile":
		return s.stopProfile()
	default:
		err = fmt.Errorf("unknown action %q", c.Action)
	}
	return err
}

// runTask has the client run a task.
func (s *server) runTask(t *task) (*taskResult, error) {
	var r taskResult
	if err := s.client.call(t, &r); err != nil {
		return nil, fmt.Errorf("client ended: %w", err)
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return &r, nil
}

// connectViewers starts the client, and waits for its viewers.
func (s *server) connectViewers(c *command, r *report) (err error) {
	if s.client, err = startProcess(roleClient, c.ClientCore); err != nil {
		return err
	}
	s.viewers, s.fastViewers = c.Viewers, c.FastViewers
	cpuBefore := cpuTime()
	if _, err := s.runTask(&task{
		Action: "connect", Port: s.port, Viewers: c.Viewers, FastViewers: c.FastViewers, SlowBuffer: c.SlowBuffer,
		BusyWait: c.ClientCore != anyCore, Timeout: time.Minute,
	}); err != nil {
		return err
	}
	for deadline := time.Now().Add(taskTimeout); s.connected.Load() < int64(c.Viewers); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d viewers connected", s.connected.Load(), c.Viewers)
		}
	}
	r.CPU = cpuTime() - cpuBefore
	s.sockets, err = ownConnections(s.port)
	if err == nil && len(s.sockets) != c.Viewers {
		err = fmt.Errorf("found %d sockets of %d", len(s.sockets), c.Viewers)
	}
	return err
}

// subscribeViewers has every viewer subscribe to the main list, and every slow
// one to the list that fills its buffers, too.
func (s *server) subscribeViewers(r *report) error {
	cpuBefore := cpuTime()
	if err := s.subscribeTo(mainList, s.viewers); err != nil {
		return err
	}
	r.CPU = cpuTime() - cpuBefore
	if s.fastViewers == s.viewers {
		return nil
	}
	return s.subscribeTo(fillList, s.viewers-s.fastViewers)
}

func (s *server) subscribeTo(list string, viewers int) error {
	r, err := s.runTask(&task{Action: "send", Text: subscribeText(list), FirstViewers: viewers, Timeout: time.Minute})
	if err == nil && r.Frames != viewers {
		err = fmt.Errorf("%d of %d viewers received the list %s", r.Frames, viewers, list)
	}
	return err
}

// sendFrames sends frames to all viewers, each when the one before has arrived.
func (s *server) sendFrames(c *command, r *report) error {
	send, err := s.senderOf(c.Method)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore := cpuTime()
	for range c.Frames {
		if err := s.sendFrame(c, r, send); err != nil {
			return err
		}
	}
	r.CPU = cpuTime() - cpuBefore
	runtime.ReadMemStats(&after)
	r.Mallocs = after.Mallocs - before.Mallocs
	return nil
}

// senderOf returns a function that sends a frame to all viewers by a method.
func (s *server) senderOf(method string) (send func() error, err error) {
	switch {
	case method == methodHub && s.list != nil:
		return func() error { s.list.sendDiff(); return nil }, nil
	case method == methodRaw:
		return func() error { return sendRawToAll(s.sockets, s.frame) }, nil
	case method == methodLibrary && s.library != nil:
		text := s.frame[frameSize-300:]
		return func() error { return s.library.writeToAll(text) }, nil
	}
	return nil, fmt.Errorf("this server has no method %q", method)
}

// sendFrame sends one frame, waits until it has arrived, and adds to the report.
func (s *server) sendFrame(c *command, r *report, send func() error) error {
	if _, err := s.runTask(&task{Action: "await", OnlyFast: c.OnlyFast, Timeout: c.Duration}); err != nil {
		return err
	}
	start := newClock()()
	if err := send(); err != nil {
		return err
	}
	var t taskResult
	if err := s.client.receive(&t); err != nil {
		return err
	}
	if t.Error != "" {
		return errors.New(t.Error)
	}
	arrived, expected := t.AllArrivals.Count, s.viewers
	if c.OnlyFast {
		arrived, expected = t.FastArrivals.Count, s.fastViewers
	}
	r.Expected += expected
	r.Delivered += arrived
	r.Extra += t.Extra
	r.Different += t.Different
	r.ClientCPU += t.CPU
	r.Frame = t.Frame
	r.P99 = append(r.P99, time.Duration(t.AllArrivals.P99-start))
	r.FastP99 = append(r.FastP99, time.Duration(t.FastArrivals.P99-start))
	return nil
}

// calibrateSize sets the title's length so that diffs are of frameSize.
func (s *server) calibrateSize(r *report) error {
	for range 3 {
		*r = report{}
		if err := s.sendFrames(&command{Method: methodHub, Frames: 1}, r); err != nil {
			return err
		}
		if len(r.Frame) == frameSize {
			return nil
		}
		s.list.titleLen += frameSize - len(r.Frame)
	}
	return fmt.Errorf("diffs of %d bytes instead of %d", len(r.Frame), frameSize)
}

func (s *server) measureMemory(r *report) (err error) {
	if r.Resident, err = residentMemory(); err != nil {
		return err
	}
	if r.AllTCPBuffers, err = tcpMemory(); err != nil || s.client == nil {
		return err
	}
	for _, fd := range s.sockets {
		r.ServerBuffers += socketMemory(fd)
	}
	t, err := s.runTask(&task{Action: "memory"})
	if err == nil {
		r.ViewerBuffers = t.Memory
	}
	return err
}

// startProfile starts a CPU profile or a trace, until stopProfile.
func (s *server) startProfile(c *command) error {
	f, err := os.Create(c.File)
	if err != nil {
		return err
	}
	s.stopProfile = func() error {
		pprof.StopCPUProfile()
		trace.Stop()
		return f.Close()
	}
	if c.Action == "trace" {
		return trace.Start(f)
	}
	return pprof.StartCPUProfile(f)
}
