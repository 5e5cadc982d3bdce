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

	"golang.org/x/sys/unix"
)

const roleClient = "client"

// task is what a server has its client do. The client answers each with a
// taskResult.
type task struct {
	Action string // see client.startTask

	// connect
	Port int
	audience
	BusyWait bool // never sleep during a task, from now on

	// send: each viewer that sends is to receive an answer
	Text         []byte
	FirstViewers int // that send; 0: all

	// await
	OnlyFast bool // wait for the fast viewers only

	// slow
	SlowViewers int // so many of the first viewers stop reading
	ReadRate    int // or read so many bytes a second

	Timeout time.Duration // of connect, await and send; quiet: its duration
}

// taskResult is what the client has seen during a task.
type taskResult struct {
	Error        string
	Frames       int // first frames of the viewers
	Extra        int // other frames
	Different    int // frames that differ from the first one
	Frame        []byte
	CPU          time.Duration // of this process during the task
	Memory       int64         // of the kernel for the slow viewers, in bytes
	AllArrivals  arrivalTimes
	FastArrivals arrivalTimes
}

// arrivalTimes are when viewers received their frames, in nanoseconds of
// CLOCK_MONOTONIC.
type arrivalTimes struct {
	Count          int
	P50, P99, Last int64
}

// client is one thread: its loop owns everything. The garbage collector is off,
// and nothing allocates between tasks.
type client struct {
	epoll     int
	viewers   []viewer
	firstFast int // index of the first fast viewer
	buf       []byte
	taskText  []byte // of the next task, so far
	now       machineClock
	busyWait  bool // this process has its own core: sends of the server need not wake it

	running taskState
	counts  frameCounts
	slow    slowReading
}

// taskState is the state of the task that runs.
type taskState struct {
	task       *task         // nil: none
	cpuAtStart time.Duration // of this process
	deadline   int64
	pending    int // handshakes without an answer
	nextToSend int // viewer
	handshakes int // begun
}

const (
	maxHandshakes = 256 // at once
	taskTimeout   = 20 * time.Second
)

func runClient() error {
	debug.SetGCPercent(-1)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	c := &client{epoll: epoll, buf: make([]byte, 256<<10), now: newMachineClock()}
	if err := c.setEpoll(unix.EPOLL_CTL_ADD, 0, -1, unix.EPOLLIN); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(epoll, events, c.epollTimeoutMillis())
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for i := range events[:n] {
			if events[i].Fd < 0 {
				if done, err := c.readAndStartTasks(); done || err != nil {
					return err
				}
				continue
			}
			c.readViewer(&c.viewers[events[i].Fd], len(c.buf))
		}
		c.readDueSlowViewers()
		c.endTaskIfDoneOrExpired()
	}
}

// setEpoll changes the events of a descriptor. They come with a viewer's index.
func (c *client) setEpoll(op, fd, index int, events uint32) error {
	return unix.EpollCtl(c.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
}

// epollTimeoutMillis is how long the loop may sleep, in milliseconds.
func (c *client) epollTimeoutMillis() int {
	t := c.running.task
	switch {
	case t != nil && c.busyWait:
		return 0
	case c.slow.rate > 0, t != nil && t.Action == "quiet":
		return 5
	case t != nil:
		return 100
	default:
		return -1
	}
}

// readAndStartTasks reads tasks from standard input and starts them. isInputClosed
// means that the server has closed it.
func (c *client) readAndStartTasks() (isInputClosed bool, err error) {
	n, err := unix.Read(0, c.buf)
	if err != nil || n == 0 {
		return true, err
	}
	c.taskText = append(c.taskText, c.buf[:n]...)
	for {
		line, rest, ok := bytes.Cut(c.taskText, []byte("\n"))
		if !ok {
			return false, nil
		}
		t := &task{}
		if err := json.Unmarshal(line, t); err != nil {
			return true, err
		}
		c.taskText = slices.Clone(rest)
		c.startTask(t)
	}
}

func (c *client) startTask(t *task) {
	r := &c.running
	r.task, r.cpuAtStart, r.deadline = t, processCPUTime(), c.now()+int64(taskTimeout)
	if t.Timeout > 0 {
		r.deadline = c.now() + int64(t.Timeout)
	}
	switch t.Action {
	case "connect":
		c.viewers = make([]viewer, t.Viewers)
		c.firstFast, c.busyWait = t.SlowCandidates, t.BusyWait
		for range min(maxHandshakes, t.Viewers) {
			c.connectNextViewer()
		}
	case "send":
		c.resetCounts()
		r.nextToSend = 0
		for range maxHandshakes {
			c.sendAsNextViewer()
		}
	case "await":
		c.resetCounts()
		c.writeResult(&taskResult{}) // ready; the result follows
	case "slow":
		c.setSlowViewers(t.SlowViewers, t.ReadRate)
		c.endTaskAndReply(nil)
	case "quiet":
		c.counts.lastFastRead = c.now()
	case "memory":
		c.counts.kernelMemory = 0
		for i := range c.viewers[:c.firstFast] {
			c.counts.kernelMemory += socketBufferBytes(c.viewers[i].fd)
		}
		c.endTaskAndReply(nil)
	}
}

// connectNextViewer begins the next handshake of the task, if there is one.
func (c *client) connectNextViewer() {
	r := &c.running
	if r.handshakes == r.task.Viewers {
		return
	}
	i := r.handshakes
	r.handshakes++
	buffer := 0
	if i < c.firstFast {
		buffer = r.task.SlowBuffer
	}
	fd, err := dialAndRequestUpgrade(i, &unix.SockaddrInet4{Port: r.task.Port, Addr: [4]byte{127, 0, 0, 1}}, buffer)
	if err == nil {
		err = c.setEpoll(unix.EPOLL_CTL_ADD, fd, i, epollEvents)
	}
	if err != nil {
		c.endTaskAndReply(err)
		return
	}
	c.viewers[i].fd = fd
	r.pending++
}

const epollEvents = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// sendAsNextViewer sends the task's text as the next viewer, if there is one.
func (c *client) sendAsNextViewer() {
	r := &c.running
	if r.nextToSend == c.senderCount(r.task) {
		return
	}
	r.nextToSend++
	if _, err := unix.Write(c.viewers[r.nextToSend-1].fd, maskedTextFrame(r.task.Text)); err != nil {
		c.endTaskAndReply(err)
	}
}

// senderCount is the number of viewers that send a task's text.
func (c *client) senderCount(t *task) int {
	if t.FirstViewers > 0 {
		return min(t.FirstViewers, len(c.viewers))
	}
	return len(c.viewers)
}

// endTaskIfDoneOrExpired answers a task that is done or has reached its deadline.
func (c *client) endTaskIfDoneOrExpired() {
	t := c.running.task
	if t == nil {
		return
	}
	all, fast := len(c.counts.arrivals[allViewers]), len(c.counts.arrivals[fastViewers])
	isDone := false
	switch t.Action {
	case "connect":
		isDone = c.running.handshakes == t.Viewers && c.running.pending == 0
	case "send":
		isDone = all == c.senderCount(t)
	case "await":
		isDone = all == len(c.viewers) || t.OnlyFast && fast == len(c.viewers)-c.firstFast
	case "quiet":
		if c.now()-c.counts.lastFastRead >= int64(t.Timeout) {
			c.endTaskAndReply(nil)
		}
		return // has no deadline: the stream of frames ends when the server closes stalled sockets
	}
	if isDone || c.now() >= c.running.deadline {
		c.endTaskAndReply(nil)
	}
}

// endTaskAndReply ends the task, if one runs, with its result.
func (c *client) endTaskAndReply(err error) {
	if c.running.task == nil {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fanbench: client:", err)
		}
		return
	}
	c.running.task = nil
	f := &c.counts
	r := &taskResult{
		Frames: len(f.arrivals[allViewers]), Extra: f.extra, Different: f.different, Frame: f.first,
		CPU: processCPUTime() - c.running.cpuAtStart, Memory: f.kernelMemory,
		AllArrivals: arrivalPercentiles(f.arrivals[allViewers]), FastArrivals: arrivalPercentiles(f.arrivals[fastViewers]),
	}
	if err != nil {
		r.Error = err.Error()
	}
	c.writeResult(r)
}

func (c *client) writeResult(r *taskResult) { json.NewEncoder(os.Stdout).Encode(r) }

// arrivalPercentiles returns percentiles of times, which are sorted.
func arrivalPercentiles(sortedTimes []int64) (percentiles arrivalTimes) {
	if n := len(sortedTimes); n > 0 {
		percentiles = arrivalTimes{Count: n, P50: sortedTimes[n/2], P99: sortedTimes[n*99/100], Last: sortedTimes[n-1]}
	}
	return percentiles
}
