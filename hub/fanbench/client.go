//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const roleClient = "client"

// task is what a client is told to do. It answers each with one count.
type task struct {
	Do string // see client.do

	// open
	Port   int
	N      int
	Spared int  // of N, from the end: never told to stop reading
	Buffer int  // the kernel's, for the others; 0: its default
	Spin   bool // from now on, never sleep while a task is under way

	// send: to how many of the first viewers; 0 is all. Each is to be answered.
	Text []byte
	To   int

	// arm
	Spare bool // wait for the spared alone

	// pace
	Still int // so many of the first stop reading
	Rate  int // or go on with so many bytes a second

	// quiet, and how long arm and send wait at most
	For time.Duration
}

// count is what a client saw.
type count struct {
	Error  string
	Frames int // first ones of a viewer that counts
	Extra  int // others
	Odd    int // not the same bytes as the first
	Frame  []byte
	CPU    time.Duration // of this process, since the task began
	Memory int64
	All    stamps
	Spared stamps
}

// stamps say when viewers had their frames, in nanoseconds of CLOCK_MONOTONIC.
type stamps struct {
	N              int
	P50, P99, Last int64
}

// client is one thread: everything is owned by its loop. The collector is off,
// and between tasks nothing allocates.
type client struct {
	epoll   int
	viewers []viewer
	spared  int // the index of the first that never stops reading
	buf     []byte
	line    []byte // of a task, as far as it has come
	now     clock
	spin    bool // there is a core for us: do not have the server's sends wake us

	// Of the task that is under way.
	task     *task
	cpu      time.Duration // when it began
	deadline int64
	pending  int // viewers that wait for an answer
	next     int // the next that something is sent to
	started  int // handshakes begun

	// Since the last arm or send.
	epoch  int
	frame  []byte // what the first spared viewer got
	extra  int
	odd    int
	stamps [2][]int64 // of all, of the spared
	last   int64      // when anything came
	lively int64      // when anything came to one that reads what there is
	memory int64      // of the kernel's, for those that may stop

	// Those that dawdle.
	still  int
	rate   int
	ticked int64
	tick   int
}

const (
	window   = 256 // handshakes under way at once
	patience = 20 * time.Second
	ticks    = 10 // a second, in each of which a tenth of those that dawdle read
)

func runClient() error {
	debug.SetGCPercent(-1)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	c := &client{epoll: epoll, buf: make([]byte, 256<<10), now: newClock()}
	if err := c.watch(unix.EPOLL_CTL_ADD, 0, -1, unix.EPOLLIN); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(epoll, events, c.wait())
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for i := range events[:n] {
			if events[i].Fd < 0 {
				if done, err := c.listen(); done || err != nil {
					return err
				}
				continue
			}
			c.read(&c.viewers[events[i].Fd], len(c.buf))
		}
		c.dawdle()
		c.finish()
	}
}

// watch has epoll tell of a descriptor by an index.
func (c *client) watch(op, fd, index int, events uint32) error {
	return unix.EpollCtl(c.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

// wait is how long the loop may sleep, in milliseconds.
func (c *client) wait() int {
	switch {
	case c.task != nil && c.spin:
		return 0
	case c.rate > 0, c.task != nil && c.task.Do == "quiet":
		return 5
	case c.task != nil:
		return 100
	default:
		return -1
	}
}

// listen reads tasks. There are no more when the server has closed the pipe.
func (c *client) listen() (done bool, err error) {
	n, err := unix.Read(0, c.buf)
	if err != nil || n == 0 {
		return true, err
	}
	c.line = append(c.line, c.buf[:n]...)
	for {
		line, rest, ok := bytes.Cut(c.line, []byte("\n"))
		if !ok {
			return false, nil
		}
		t := &task{}
		if err := json.Unmarshal(line, t); err != nil {
			return true, err
		}
		c.line = slices.Clone(rest)
		c.begin(t)
	}
}

// begin begins a task.
func (c *client) begin(t *task) {
	c.task, c.cpu, c.deadline = t, cpuTime(), c.now()+int64(patience)
	if t.For > 0 {
		c.deadline = c.now() + int64(t.For)
	}
	switch t.Do {
	case "open":
		c.viewers = make([]viewer, t.N)
		c.spared, c.spin = t.N-t.Spared, t.Spin
		for range min(window, t.N) {
			c.open()
		}
	case "send":
		c.arm()
		c.next = 0
		for range window {
			c.send()
		}
	case "arm":
		c.arm()
		c.answer(&count{}) // and once more in the end
	case "pace":
		c.pace(t.Still, t.Rate)
		c.reply(nil)
	case "quiet":
		c.lively = c.now()
	case "memory":
		c.memory = 0
		for i := range c.viewers[:c.spared] {
			c.memory += socketMemory(c.viewers[i].fd)
		}
		c.reply(nil)
	}
}

// arm counts from now on, as if nothing had come.
func (c *client) arm() {
	c.epoch++
	c.extra, c.odd, c.frame = 0, 0, c.frame[:0]
	for i := range c.stamps {
		c.stamps[i] = slices.Grow(c.stamps[i][:0], len(c.viewers))
	}
}

// open begins the next handshake.
func (c *client) open() {
	t := c.task
	if c.started == t.N {
		return
	}
	i := c.started
	c.started++
	buffer := 0
	if i < c.spared {
		buffer = t.Buffer
	}
	fd, err := connect(i, &unix.SockaddrInet4{Port: t.Port, Addr: [4]byte{127, 0, 0, 1}}, buffer)
	if err == nil {
		err = c.watch(unix.EPOLL_CTL_ADD, fd, i, reading)
	}
	if err != nil {
		c.reply(err)
		return
	}
	c.viewers[i].fd = fd
	c.pending++
}

const reading = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// send sends the text to the next viewer.
func (c *client) send() {
	t := c.task
	if c.next == t.to(c) {
		return
	}
	c.next++
	if _, err := unix.Write(c.viewers[c.next-1].fd, text(t.Text)); err != nil {
		c.reply(err)
	}
}

// to is how many viewers a text is sent to.
func (t *task) to(c *client) int {
	if t.To > 0 {
		return min(t.To, len(c.viewers))
	}
	return len(c.viewers)
}

// read reads what there is for a viewer, up to a limit.
func (c *client) read(v *viewer, limit int) {
	for v.phase != gone {
		n, errno := receive(v.fd, c.buf[:limit])
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0 || n == 0:
			v.phase = gone
			c.reply(fmt.Errorf("a viewer was closed: %w", errno))
			return
		}
		if err := c.take(v, c.buf[:n]); err != nil {
			v.phase = gone
			c.reply(err)
			return
		}
		if n < limit || limit < len(c.buf) {
			return // the next edge tells of more
		}
	}
}

// receive reads without telling the scheduler: it does not block.
func receive(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// take looks at what a viewer got.
func (c *client) take(v *viewer, p []byte) error {
	c.last = c.now()
	if !v.still {
		c.lively = c.last
	}
	if v.phase == upgrading {
		rest, err := v.upgraded(p)
		if err != nil {
			return err
		}
		if v.phase == open {
			c.pending--
			c.open()
		}
		p = rest
	}
	if v.have == 0 && len(p) > 0 && bytes.Equal(p, c.frame) {
		c.whole(v, p)
		return nil
	}
	return v.frames(p, c.whole)
}

// whole counts a frame of a viewer; p is nil if it came in pieces.
func (c *client) whole(v *viewer, p []byte) {
	if v.epoch == c.epoch {
		c.extra++
		return
	}
	v.epoch = c.epoch
	c.stamps[0] = append(c.stamps[0], c.last)
	if c.task != nil && c.task.Do == "send" {
		c.send()
	}
	if !c.isSpared(v) {
		return
	}
	if len(c.frame) == 0 {
		c.frame = append(c.frame, p...)
	}
	if !bytes.Equal(p, c.frame) {
		c.odd++
	}
	c.stamps[1] = append(c.stamps[1], c.last)
}

func (c *client) isSpared(v *viewer) bool {
	return uintptr(unsafe.Pointer(v)) >= uintptr(unsafe.Pointer(unsafe.SliceData(c.viewers[c.spared:])))
}

// pace has the first viewers stop reading, or read at a rate, and the others
// read what there is.
func (c *client) pace(still, rate int) {
	for i := range c.viewers[:max(still, c.still)] {
		v := &c.viewers[i]
		switch was := v.still; {
		case i < still && !was:
			v.still = true
			c.watch(unix.EPOLL_CTL_DEL, v.fd, i, 0)
		case i >= still && was:
			v.still = false
			c.watch(unix.EPOLL_CTL_ADD, v.fd, i, reading)
		}
	}
	c.still, c.rate, c.ticked = still, rate, c.now()
}

// dawdle reads for those that read at a rate.
func (c *client) dawdle() {
	for c.rate > 0 && c.now() >= c.ticked+int64(time.Second/ticks) {
		c.ticked += int64(time.Second / ticks)
		c.tick = (c.tick + 1) % ticks
		for i := c.tick; i < c.still; i += ticks {
			c.read(&c.viewers[i], c.rate)
		}
	}
}

// finish answers a task that is done, or has taken too long.
func (c *client) finish() {
	t := c.task
	if t == nil {
		return
	}
	done := false
	switch t.Do {
	case "open":
		done = c.started == t.N && c.pending == 0
	case "send":
		done = len(c.stamps[0]) == t.to(c)
	case "arm":
		done = len(c.stamps[0]) == len(c.viewers) || t.Spare && len(c.stamps[1]) == len(c.viewers)-c.spared
	case "quiet":
		if c.now()-c.lively >= int64(t.For) {
			c.reply(nil)
		}
		return // a stream of frames is no error: it ends with the server's patience
	}
	if done || c.now() >= c.deadline {
		c.reply(nil)
	}
}

// reply answers the task.
func (c *client) reply(err error) {
	if c.task == nil {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fanbench: client:", err)
		}
		return
	}
	c.task = nil
	r := &count{
		Frames: len(c.stamps[0]), Extra: c.extra, Odd: c.odd, Frame: c.frame, CPU: cpuTime() - c.cpu, Memory: c.memory,
		All: digest(c.stamps[0]), Spared: digest(c.stamps[1]),
	}
	if err != nil {
		r.Error = err.Error()
	}
	c.answer(r)
}

func (c *client) answer(r *count) { json.NewEncoder(os.Stdout).Encode(r) }

// digest takes stamps, which are in order.
func digest(all []int64) (s stamps) {
	if n := len(all); n > 0 {
		s = stamps{N: n, P50: all[n/2], P99: all[n*99/100], Last: all[n-1]}
	}
	return s
}
