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

// The two servers.
const (
	roleHub     = "hub"
	roleLibrary = "library"
)

// order is what control has a server do. It answers each with a report.
type order struct {
	Do string // see server.do

	Core   int // open: the client's, which then need not sleep
	N      int
	Spared int
	Buffer int

	Way   string // fan: wayRaw …
	Times int
	Spare bool // it has arrived when the spared viewers have it

	Frame []byte // keep: what wayRaw and wayLibrary send

	Still int // pace, see task
	Rate  int

	For  time.Duration // rest; fan: the longest wait for one frame
	File string        // profile, trace
}

// The ways to send a frame to all viewers.
const (
	wayRaw     = "raw"
	wayHub     = "hub"
	wayLibrary = "library"
)

// report is what a server says of an order.
type report struct {
	Error string

	// open, subscribe and fan
	CPU time.Duration

	// fan
	Expected  int
	Delivered int
	Extra     int
	Odd       int
	Mallocs   uint64
	Client    time.Duration   // its process's CPU
	Frame     []byte          // what was delivered last
	P99       []time.Duration // of each diff, to all
	SparedP99 []time.Duration // to those spared

	// memory, in bytes
	Resident int64
	Sockets  int64 // the kernel's, for this process's ends
	Peers    int64 // for the ends of viewers that may stop
	TCP      int64 // for all sockets of the machine
}

type server struct {
	role     string
	http     *http.Server
	port     int
	arrived  atomic.Int64
	list     *list    // roleHub
	library  *library // roleLibrary
	client   *process
	viewers  int
	spared   int
	sockets  []int
	frame    []byte
	observed func() error // stops a profile
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
		var o order
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r := &report{}
		if err := s.do(&o, r); err != nil {
			r.Error = err.Error()
		}
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
}

// listen starts the server proper.
func (s *server) listen() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	arrived := func() { s.arrived.Add(1) }
	var handler http.Handler
	if s.role == roleLibrary {
		s.library = &library{arrived: arrived}
		handler = s.library
	} else {
		options, err := socketOptions()
		if err != nil {
			return err
		}
		s.list = newList()
		go s.list.hub.Run(context.Background())
		handler = &acceptor{hub: s.list.hub, options: options, arrived: arrived}
	}
	s.http = &http.Server{Handler: handler}
	go s.http.Serve(l) // as long as the process
	return nil
}

func (s *server) do(o *order, r *report) (err error) {
	switch o.Do {
	case "open":
		return s.open(o, r)
	case "subscribe":
		return s.subscribe(o, r)
	case "fan":
		return s.fan(o, r)
	case "keep":
		s.frame = o.Frame
	case "size":
		return s.size(r)
	case "pace":
		_, err = s.tell(&task{Do: "pace", Still: o.Still, Rate: o.Rate})
	case "burst":
		s.list.burst()
	case "quiet":
		_, err = s.tell(&task{Do: "quiet", For: o.For})
	case "rest":
		time.Sleep(o.For)
	case "collect":
		debug.FreeOSMemory()
	case "memory":
		return s.memory(r)
	case "profile", "trace":
		return s.observe(o)
	case "stop":
		return s.observed()
	default:
		err = fmt.Errorf("order %q", o.Do)
	}
	return err
}

// tell has the client do something.
func (s *server) tell(t *task) (*count, error) {
	var c count
	if err := s.client.ask(t, &c); err != nil {
		return nil, fmt.Errorf("the client is gone: %w", err)
	}
	if c.Error != "" {
		return nil, errors.New(c.Error)
	}
	return &c, nil
}

// open starts the client, and lets its viewers in.
func (s *server) open(o *order, r *report) (err error) {
	if s.client, err = launch(roleClient, o.Core); err != nil {
		return err
	}
	s.viewers, s.spared = o.N, o.Spared
	before := cpuTime()
	if _, err := s.tell(&task{Do: "open", Port: s.port, N: o.N, Spared: o.Spared, Buffer: o.Buffer, Spin: o.Core != anyCore, For: time.Minute}); err != nil {
		return err
	}
	for end := time.Now().Add(patience); s.arrived.Load() < int64(o.N); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d viewers arrived", s.arrived.Load(), o.N)
		}
	}
	r.CPU = cpuTime() - before
	s.sockets, err = connected(s.port)
	if err == nil && len(s.sockets) != o.N {
		err = fmt.Errorf("found %d sockets of %d", len(s.sockets), o.N)
	}
	return err
}

// subscribe has every viewer ask for the list, and those that may be told to
// stop reading for the one that fills their buffers.
func (s *server) subscribe(_ *order, r *report) error {
	before := cpuTime()
	if err := s.request(mainList, s.viewers); err != nil {
		return err
	}
	r.CPU = cpuTime() - before
	if s.spared == s.viewers {
		return nil
	}
	return s.request(fillList, s.viewers-s.spared)
}

func (s *server) request(list string, viewers int) error {
	c, err := s.tell(&task{Do: "send", Text: subscription(list), To: viewers, For: time.Minute})
	if err == nil && c.Frames != viewers {
		err = fmt.Errorf("%d of %d viewers got the list %s", c.Frames, viewers, list)
	}
	return err
}

// fan sends frames to all viewers, and each when the one before has arrived.
func (s *server) fan(o *order, r *report) error {
	send, err := s.way(o.Way)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime()
	for range o.Times {
		if err := s.once(o, r, send); err != nil {
			return err
		}
	}
	r.CPU = cpuTime() - began
	runtime.ReadMemStats(&after)
	r.Mallocs = after.Mallocs - before.Mallocs
	return nil
}

// way returns what sends a frame to all.
func (s *server) way(name string) (func() error, error) {
	switch {
	case name == wayHub && s.list != nil:
		return func() error { s.list.diff(); return nil }, nil
	case name == wayRaw:
		return func() error { return sendAll(s.sockets, s.frame) }, nil
	case name == wayLibrary && s.library != nil:
		text := s.frame[frameSize-300:]
		return func() error { return s.library.writeAll(text) }, nil
	}
	return nil, fmt.Errorf("this server does not send by %q", name)
}

func (s *server) once(o *order, r *report, send func() error) error {
	if _, err := s.tell(&task{Do: "arm", Spare: o.Spare, For: o.For}); err != nil {
		return err
	}
	began := newClock()()
	if err := send(); err != nil {
		return err
	}
	var c count
	if err := s.client.hear(&c); err != nil {
		return err
	}
	if c.Error != "" {
		return errors.New(c.Error)
	}
	got, want := c.All, s.viewers
	if o.Spare {
		got, want = c.Spared, s.spared
	}
	r.Expected += want
	r.Delivered += got.N
	r.Extra += c.Extra
	r.Odd += c.Odd
	r.Client += c.CPU
	r.Frame = c.Frame
	r.P99 = append(r.P99, time.Duration(c.All.P99-began))
	r.SparedP99 = append(r.SparedP99, time.Duration(c.Spared.P99-began))
	return nil
}

// size makes diffs of frameSize.
func (s *server) size(r *report) error {
	for range 3 {
		*r = report{}
		if err := s.fan(&order{Way: wayHub, Times: 1}, r); err != nil {
			return err
		}
		if len(r.Frame) == frameSize {
			return nil
		}
		s.list.title += frameSize - len(r.Frame)
	}
	return fmt.Errorf("diffs of %d bytes, not %d", len(r.Frame), frameSize)
}

func (s *server) memory(r *report) (err error) {
	if r.Resident, err = resident(); err != nil {
		return err
	}
	if r.TCP, err = tcpMemory(); err != nil || s.client == nil {
		return err
	}
	for _, fd := range s.sockets {
		r.Sockets += socketMemory(fd)
	}
	c, err := s.tell(&task{Do: "memory"})
	if err == nil {
		r.Peers = c.Memory
	}
	return err
}

// observe starts a profile or a trace, until the order stop.
func (s *server) observe(o *order) error {
	f, err := os.Create(o.File)
	if err != nil {
		return err
	}
	s.observed = func() error {
		pprof.StopCPUProfile()
		trace.Stop()
		return f.Close()
	}
	if o.Do == "trace" {
		return trace.Start(f)
	}
	return pprof.StartCPUProfile(f)
}
