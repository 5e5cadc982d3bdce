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
	ClientCore int // the client's own core, on which it never sleeps, or anyCore
	audience

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
	role      string
	http      *http.Server
	port      int
	connected atomic.Int64    // viewers so far
	list      *benchList      // roleHub
	library   *libraryHandler // roleLibrary
	client    *process
	audience
	sockets     []int // descriptors of the viewers' connections
	frame       []byte
	stopProfile func() error
}

func runServer(role string, in io.Reader, out io.Writer) error {
	s := &server{role: role}
	if err := s.startWebSocketServer(); err != nil {
		return err
	}
	defer func() {
		if s.client != nil {
			s.client.stopAndWait()
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

// startWebSocketServer starts the WebSocket server.
func (s *server) startWebSocketServer() error {
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
		options, err := newSocketOptions()
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
		return s.startClientAndConnect(c, r)
	case "subscribe":
		return s.subscribeViewers(r)
	case "send":
		return s.sendFrames(c, r)
	case "set-frame":
		s.frame = c.Frame
	case "calibrate":
		return s.calibrateDiffSize(r)
	case "slow":
		_, err = s.runClientTask(&task{Action: "slow", SlowViewers: c.SlowViewers, ReadRate: c.ReadRate})
	case "fill-buffers":
		s.list.sendLargeDiff()
	case "quiet":
		_, err = s.runClientTask(&task{Action: "quiet", Timeout: c.Duration})
	case "sleep":
		time.Sleep(c.Duration)
	case "collect":
		debug.FreeOSMemory()
	case "memory":
		return s.measureMemoryWithoutGC(r)
	case "profile", "trace":
		return s.startProfileOrTrace(c)
	case "stop-profile":
		return s.stopProfile()
	default:
		err = fmt.Errorf("unknown action %q", c.Action)
	}
	return err
}

// runClientTask has the client run a task.
func (s *server) runClientTask(t *task) (*taskResult, error) {
	var r taskResult
	if err := s.client.call(t, &r); err != nil {
		return nil, fmt.Errorf("client ended: %w", err)
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return &r, nil
}

// startClientAndConnect starts the client, and waits for its viewers.
func (s *server) startClientAndConnect(c *command, r *report) (err error) {
	if s.client, err = startProcess(roleClient, c.ClientCore); err != nil {
		return err
	}
	s.audience = c.audience
	cpuBefore := processCPUTime()
	if _, err := s.runClientTask(&task{
		Action: "connect", Port: s.port, audience: c.audience, BusyWait: c.ClientCore != anyCore, Timeout: time.Minute,
	}); err != nil {
		return err
	}
	for deadline := time.Now().Add(taskTimeout); s.connected.Load() < int64(c.Viewers); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d viewers connected", s.connected.Load(), c.Viewers)
		}
	}
	r.CPU = processCPUTime() - cpuBefore
	s.sockets, err = acceptedConnections(s.port)
	if err == nil && len(s.sockets) != c.Viewers {
		err = fmt.Errorf("found %d sockets of %d", len(s.sockets), c.Viewers)
	}
	return err
}

// subscribeViewers has every viewer subscribe to the main list, and every slow
// one to the list that fills its buffers, too.
func (s *server) subscribeViewers(r *report) error {
	cpuBefore := processCPUTime()
	if err := s.subscribeFirstViewers(mainList, s.Viewers); err != nil {
		return err
	}
	r.CPU = processCPUTime() - cpuBefore
	if s.SlowCandidates == 0 {
		return nil
	}
	return s.subscribeFirstViewers(fillList, s.SlowCandidates)
}

func (s *server) subscribeFirstViewers(list string, count int) error {
	r, err := s.runClientTask(&task{Action: "send", Text: subscribeMessage(list), FirstViewers: count, Timeout: time.Minute})
	if err == nil && r.Frames != count {
		err = fmt.Errorf("%d of %d viewers received the list %s", r.Frames, count, list)
	}
	return err
}

// sendFrames sends frames to all viewers, each when the one before has arrived.
func (s *server) sendFrames(c *command, r *report) error {
	send, err := s.frameSender(c.Method)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore := processCPUTime()
	for range c.Frames {
		if err := s.sendFrameAndCountArrivals(c, r, send); err != nil {
			return err
		}
	}
	r.CPU = processCPUTime() - cpuBefore
	runtime.ReadMemStats(&after)
	r.Mallocs = after.Mallocs - before.Mallocs
	return nil
}

// frameSender returns a function that sends a frame to all viewers by a method.
func (s *server) frameSender(method string) (send func() error, err error) {
	switch {
	case method == methodHub && s.list != nil:
		return func() error { s.list.sendMainDiff(); return nil }, nil
	case method == methodRaw:
		return func() error { return sendRawToAll(s.sockets, s.frame) }, nil
	case method == methodLibrary && s.library != nil:
		text := s.frame[frameSize-300:]
		return func() error { return s.library.writeToAll(text) }, nil
	}
	return nil, fmt.Errorf("this server has no method %q", method)
}

// sendFrameAndCountArrivals sends one frame, waits until it has arrived, and adds to the report.
func (s *server) sendFrameAndCountArrivals(c *command, r *report, send func() error) error {
	if _, err := s.runClientTask(&task{Action: "await", OnlyFast: c.OnlyFast, Timeout: c.Duration}); err != nil {
		return err
	}
	start := newMachineClock()()
	if err := send(); err != nil {
		return err
	}
	var t taskResult
	if err := s.client.decodeAnswer(&t); err != nil {
		return err
	}
	if t.Error != "" {
		return errors.New(t.Error)
	}
	arrived, expected := t.AllArrivals.Count, s.Viewers
	if c.OnlyFast {
		arrived, expected = t.FastArrivals.Count, s.Viewers-s.SlowCandidates
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

// calibrateDiffSize sets the title's length so that diffs are of frameSize.
func (s *server) calibrateDiffSize(r *report) error {
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

func (s *server) measureMemoryWithoutGC(r *report) (err error) {
	if r.Resident, err = residentBytes(); err != nil {
		return err
	}
	if r.AllTCPBuffers, err = machineTCPBufferBytes(); err != nil || s.client == nil {
		return err
	}
	for _, fd := range s.sockets {
		r.ServerBuffers += socketBufferBytes(fd)
	}
	t, err := s.runClientTask(&task{Action: "memory"})
	if err == nil {
		r.ViewerBuffers = t.Memory
	}
	return err
}

// startProfileOrTrace starts a CPU profile or a trace, until stopProfile.
func (s *server) startProfileOrTrace(c *command) error {
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
