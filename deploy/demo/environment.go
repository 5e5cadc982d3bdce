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

// settings configure an environment.
type settings struct {
	Onair, Nginx, FFmpeg, FFprobe string // programs
	Heartbeat, EndGrace           time.Duration
	Grace                         time.Duration // of a beat; 0: onair's default
	UnsignedPlay                  bool          // the media server checks no signatures of RTMP players
	PollAndControl                bool          // onair polls the media server, and cuts kicked pushes
	Out                           io.Writer     // of the demo's lines

	// CallbackAddr returns the address for the media server's callbacks, by default
	// onair's. Tests record the callbacks.
	CallbackAddr func(onair string) string
}

func defaultSettings() settings {
	return settings{
		Onair: "bin/onair", Nginx: "nginx", FFmpeg: "ffmpeg", FFprobe: "ffprobe",
		Heartbeat: 2 * time.Second, EndGrace: 4 * time.Second,
		Out:          io.Discard,
		CallbackAddr: func(onair string) string { return onair },
	}
}

// environment is everything that runs: onair, the media server, encoders, and the sockets
// of anchors and viewers. It uses loopback addresses and one temporary directory.
type environment struct {
	settings settings
	dir      string
	keys     keys
	redactor redactor
	addrs    struct {
		api, ops  string // of onair
		rtmp, web string // of nginx
	}
	onair, nginx *program.Program

	mu       sync.Mutex         // guards the two below
	programs []*program.Program // in the order of their starts
	sockets  []*socket

	startedAt time.Time
	printMu   sync.Mutex
}

// startEnvironment starts onair and the media server.
func startEnvironment(ctx context.Context, config settings) (*environment, error) {
	env := &environment{settings: config, startedAt: time.Now()}
	for _, name := range []*string{&env.settings.Onair, &env.settings.Nginx, &env.settings.FFmpeg, &env.settings.FFprobe} {
		path, err := program.Locate(*name)
		if err != nil {
			return nil, err
		}
		*name = path
	}
	for _, secret := range []*string{&env.keys.auth, &env.keys.push, &env.keys.play, &env.keys.hook, &env.keys.vod} {
		*secret = strings.ToLower(rand.Text() + rand.Text())
		env.redactor.addSecrets(*secret)
	}
	dir, err := os.MkdirTemp("", "onair-demo-")
	if err != nil {
		return nil, err
	}
	env.dir = dir
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := env.startServers(ctx); err != nil {
		env.stop()
		return nil, errors.New(env.redactor.redact(err.Error()))
	}
	return env, nil
}

// startServers starts both servers. Each one's configuration has the other's address, so
// it reserves nginx's ports before it starts onair.
func (env *environment) startServers(ctx context.Context) error {
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
	env.addrs.rtmp, env.addrs.web = rtmp.Addr().String(), web.Addr().String()
	if err := env.startOnair(ctx); err != nil {
		return err
	}
	rtmp.Close()
	web.Close()
	return env.startNginx(ctx)
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // a listener's address is valid
	return port
}

// startProgram starts a program that stop ends.
func (env *environment) startProgram(name string, cmd *exec.Cmd) (*program.Program, error) {
	p, err := program.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	env.mu.Lock()
	defer env.mu.Unlock()
	env.programs = append(env.programs, p)
	return p, nil
}

// stop closes the sockets, stops the programs, the last started first, and removes the
// directory.
func (env *environment) stop() {
	env.mu.Lock()
	programs, sockets := env.programs, env.sockets
	env.mu.Unlock()
	for _, s := range sockets {
		s.closeAbruptly()
	}
	for _, p := range slices.Backward(programs) {
		if p.Name == "ffmpeg" {
			p.Kill() // it may be stopped, and has nothing to save
		} else {
			p.Stop()
		}
	}
	_ = os.RemoveAll(env.dir)
}

// printf prints a line with the time since the start, without secrets. An empty format
// prints an empty line.
func (env *environment) printf(format string, args ...any) {
	text := ""
	if format != "" {
		text = fmt.Sprintf("%6.1fs  ", time.Since(env.startedAt).Seconds()) + env.redactor.redact(fmt.Sprintf(format, args...))
	}
	env.printMu.Lock()
	defer env.printMu.Unlock()
	fmt.Fprintln(env.settings.Out, text)
}

// printLogs prints the last lines of each program.
func (env *environment) printLogs(w io.Writer, lines int) {
	env.mu.Lock()
	defer env.mu.Unlock()
	for _, p := range env.programs {
		if text := env.redactor.redact(p.LastLines(lines)); text != "" {
			fmt.Fprintf(w, "\n--- %s\n%s\n", p.Name, text)
		}
	}
}
