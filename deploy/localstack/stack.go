package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"onair/deploy/program"
)

// settings are the paths of programs and of the folder with compose.yaml.
type settings struct{ Onair, Loadtest, Deploy string }

// stack has the services of compose.yaml, without Grafana, which Debian does not
// package.
type stack struct {
	settings settings
	dir      string // temporary
	addrs    addresses
	rewriter *strings.Replacer // replaces the containers' addresses and paths

	nodes    [2]*program.Program
	programs []*program.Program // in the order of their starts
}

// startTimeout bounds the start of all services.
const startTimeout = 40 * time.Second

// startStack starts all services, and returns when they are ready.
func startStack(ctx context.Context, config settings) (*stack, error) {
	s, err := newStack(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("start timed out"))
	defer cancel()
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// newStack returns a stack with a folder and addresses, without programs.
func newStack(config settings) (*stack, error) {
	s := &stack{settings: config}
	for _, path := range []*string{&s.settings.Onair, &s.settings.Loadtest, &s.settings.Deploy} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
	}
	var err error
	if s.addrs, err = findFreeAddresses(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "onair-localstack-"); err != nil {
		return nil, err
	}
	s.rewriter = s.addrs.newRewriter(s.dir)
	return s, nil
}

// path returns the path of a file in the stack's folder.
func (s *stack) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stack) start(ctx context.Context) error {
	if err := s.writeFiles(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{
		s.startRedis, s.startNodes, s.startBalancer, s.startMedia, s.startPrometheus, s.startSimulator,
	} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startProgram starts an installed program in the stack's folder.
func (s *stack) startProgram(name, executable string, env []string, args ...string) (*program.Program, error) {
	path, err := program.Locate(executable)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), env...)
	p, err := program.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	s.programs = append(s.programs, p)
	return p, nil
}

func (s *stack) startRedis(ctx context.Context) error {
	args, err := s.composeCommand("redis")
	if err != nil {
		return err
	}
	args = append(args, "--bind", "127.0.0.1", "--port", portOf(s.addrs.redis), "--dir", s.path("redis"))
	redis, err := s.startProgram("redis", args[0], nil, args[1:]...)
	if err == nil {
		_, err = redis.AwaitLine(ctx, "Ready to accept connections")
	}
	return err
}

func (s *stack) startNodes(ctx context.Context) (err error) {
	for i := range s.nodes {
		if err := s.startNode(i); err != nil {
			return err
		}
	}
	for _, node := range s.nodes {
		if _, err := node.AwaitLine(ctx, `"serving"`); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) startNode(i int) (err error) {
	name := fmt.Sprintf("onair-%d", i+1)
	s.nodes[i], err = s.startProgram(name, s.settings.Onair, []string{
		"ONAIR_NODE=" + name, "ONAIR_LISTEN=" + s.addrs.nodes[i].api, "ONAIR_OPS_LISTEN=" + s.addrs.nodes[i].ops, "ONAIR_LOG_FORMAT=json",
	}, "--config", "onair.yaml")
	return err
}

// startBalancer starts HAProxy. Its file reads the addresses from the environment.
func (s *stack) startBalancer(ctx context.Context) error {
	balancer, err := s.startProgram("haproxy", "haproxy", []string{
		"BIND=" + s.addrs.balancer, "STATS=" + s.addrs.stats,
		"ONAIR_1=" + s.addrs.nodes[0].api, "ONAIR_1_OPS=" + portOf(s.addrs.nodes[0].ops),
		"ONAIR_2=" + s.addrs.nodes[1].api, "ONAIR_2_OPS=" + portOf(s.addrs.nodes[1].ops),
	}, "-db", "-n", "4000", "-f", s.path("haproxy.cfg"))
	if err != nil {
		return err
	}
	ctx, release := balancer.WhileRunning(ctx)
	defer release()
	return awaitOK(ctx, "http://"+s.addrs.balancer+"/v1/streams")
}

func (s *stack) startMedia(ctx context.Context) error {
	media, err := s.startNginx("media", s.path("media.conf"))
	if err == nil {
		_, err = media.AwaitLine(ctx, "start worker process ")
	}
	return err
}

// startNginx starts an nginx that writes its files into the stack's folder.
func (s *stack) startNginx(name, conf string) (*program.Program, error) {
	return s.startProgram(name, "nginx", nil, "-e", "stderr", "-p", s.dir, "-c", conf, "-g", "pid "+s.path(name+".pid")+";")
}

func (s *stack) startPrometheus(ctx context.Context) error {
	prometheus, err := s.startProgram("prometheus", "prometheus", nil, "--config.file", s.path("prometheus/prometheus.yml"),
		"--storage.tsdb.path", s.path("tsdb"), "--web.listen-address", s.addrs.prometheus)
	if err != nil {
		return err
	}
	ctx, release := prometheus.WhileRunning(ctx)
	defer release()
	return awaitOK(ctx, "http://"+s.addrs.prometheus+"/-/ready")
}

func (s *stack) startSimulator(context.Context) error {
	args, err := s.composeCommand("simulator")
	if err == nil {
		_, err = s.startProgram("simulator", s.settings.Loadtest, nil, args...)
	}
	return err
}

// awaitOK waits until a URL returns status 200.
func awaitOK(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s does not return 200: %w", url, context.Cause(ctx))
		}
	}
}

// stop stops all programs, the last started first, and removes the folder.
func (s *stack) stop() {
	for _, p := range slices.Backward(s.programs) {
		p.Stop()
	}
	_ = os.RemoveAll(s.dir)
}
