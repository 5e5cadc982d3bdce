package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"onair/deploy/program"
)

// settings are what a stage is built of.
type settings struct {
	Onair, Nginx, FFmpeg, FFprobe string // programs
	Heartbeat, EndGrace           time.Duration
	Grace                         time.Duration // for the network, after a beat is due; 0: as onair has it
	Open                          bool          // who plays over RTMP is not asked for a signature
	Asked                         bool          // the media server is polled, and told of kicks
	Out                           io.Writer     // what people read

	// Detour gives the address that callbacks go to instead of onair's, for
	// tests that listen to them.
	Detour func(onair string) string
}

func defaults() settings {
	return settings{
		Onair: "bin/onair", Nginx: "nginx", FFmpeg: "ffmpeg", FFprobe: "ffprobe",
		Heartbeat: 2 * time.Second, EndGrace: 4 * time.Second,
		Out:    io.Discard,
		Detour: func(onair string) string { return onair },
	}
}

// stage is everything that runs: the server, the media server, encoders, and
// the sockets of anchors and viewers. All of it is on loopback and in one
// temporary directory, and ends with the stage.
type stage struct {
	set  settings
	dir  string
	keys keys
	mask mask

	api  string // addresses of onair
	ops  string
	rtmp string // addresses of nginx
	web  string

	onair, nginx *program.Program

	mu    sync.Mutex
	all   []*program.Program // in the order in which they were started
	lines []*line

	began    time.Time
	printing sync.Mutex
}

// raise starts the server and the media server.
func raise(ctx context.Context, set settings) (*stage, error) {
	st := &stage{set: set, began: time.Now()}
	for _, name := range []*string{&st.set.Onair, &st.set.Nginx, &st.set.FFmpeg, &st.set.FFprobe} {
		path, err := program.Locate(*name)
		if err != nil {
			return nil, err
		}
		*name = path
	}
	for _, secret := range []*string{&st.keys.auth, &st.keys.push, &st.keys.play, &st.keys.hook, &st.keys.vod} {
		*secret = strings.ToLower(rand.Text() + rand.Text())
		st.mask.hide(*secret)
	}
	dir, err := os.MkdirTemp("", "onair-demo-")
	if err != nil {
		return nil, err
	}
	st.dir = dir
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := st.start(ctx); err != nil {
		st.end()
		return nil, errors.New(st.mask.apply(err.Error()))
	}
	return st, nil
}

// start starts both servers. onair must know where nginx listens before nginx
// can be told where onair does: nginx's ports are held until then.
func (st *stage) start(ctx context.Context) error {
	rtmp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer rtmp.Close()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer web.Close()
	st.rtmp, st.web = rtmp.Addr().String(), web.Addr().String()
	if err := st.startOnair(ctx); err != nil {
		return err
	}
	rtmp.Close()
	web.Close()
	return st.startNginx(ctx)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address) // a listener's own address
	return port
}

// spawn starts a program that ends with the stage.
func (st *stage) spawn(name string, cmd *exec.Cmd) (*program.Program, error) {
	c, err := program.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all = append(st.all, c)
	return c, nil
}

// end ends everything, the last to start first, and removes the directory.
func (st *stage) end() {
	st.mu.Lock()
	all, lines := st.all, st.lines
	st.mu.Unlock()
	for _, l := range lines {
		l.drop()
	}
	for _, c := range slices.Backward(all) {
		if c.Name == "ffmpeg" {
			c.Kill() // it may be frozen, and has nothing to save
		} else {
			c.Stop()
		}
	}
	_ = os.RemoveAll(st.dir) // nobody can do anything about it
}

// say prints a line with the time since the start. It shows no secret.
func (st *stage) say(format string, args ...any) {
	text := ""
	if format != "" {
		text = fmt.Sprintf("%6.1fs  ", time.Since(st.began).Seconds()) + st.mask.apply(fmt.Sprintf(format, args...))
	}
	st.printing.Lock()
	defer st.printing.Unlock()
	fmt.Fprintln(st.set.Out, text)
}

// logs prints the end of what each program printed.
func (st *stage) logs(w io.Writer, lines int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range st.all {
		if text := st.mask.apply(c.LastLines(lines)); text != "" {
			fmt.Fprintf(w, "\n--- %s\n%s\n", c.Name, text)
		}
	}
}
