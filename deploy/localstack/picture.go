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

// settings are what the picture is made of.
type settings struct{ Onair, Loadtest, Deploy string }

// picture is all that compose.yaml starts, but for Grafana, which Debian has
// not.
type picture struct {
	set  settings
	dir  string // of this run alone
	at   places
	here *strings.Replacer // puts the addresses of here into a text

	nodes [2]*program.Program
	all   []*program.Program // in the order in which they were started
}

// longestStart bounds the start, should anything hang.
const longestStart = 40 * time.Second

// raise starts everything, and returns when the balancer serves.
func raise(ctx context.Context, set settings) (*picture, error) {
	p := &picture{set: set}
	for _, path := range []*string{&p.set.Onair, &p.set.Loadtest, &p.set.Deploy} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
	}
	var err error
	if p.at, err = findPlaces(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "onair-picture-"); err != nil {
		return nil, err
	}
	p.here = p.at.translate(p.dir)
	ctx, cancel := context.WithTimeoutCause(ctx, longestStart, errors.New("not in time"))
	defer cancel()
	if err := p.start(ctx); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

func (p *picture) path(name string) string { return filepath.Join(p.dir, name) }

func (p *picture) start(ctx context.Context) error {
	if err := p.lay(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{
		p.startRedis, p.startNodes, p.startBalancer, p.startMedia, p.startPrometheus, p.startSimulator,
	} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// spawn starts a program of this machine, in the folder of the picture.
func (p *picture) spawn(name, file string, environ []string, args ...string) (*program.Program, error) {
	path, err := program.Locate(file)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), environ...)
	c, err := program.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	p.all = append(p.all, c)
	return c, nil
}

func (p *picture) startRedis(ctx context.Context) error {
	args, err := p.command("redis")
	if err != nil {
		return err
	}
	args = append(args, "--bind", "127.0.0.1", "--port", port(p.at.redis), "--dir", p.path("redis"))
	redis, err := p.spawn("redis", args[0], nil, args[1:]...)
	if err == nil {
		_, err = redis.AwaitLine(ctx, "Ready to accept connections")
	}
	return err
}

func (p *picture) startNodes(ctx context.Context) (err error) {
	for i := range p.nodes {
		if err := p.startNode(i); err != nil {
			return err
		}
	}
	for _, node := range p.nodes {
		if _, err := node.AwaitLine(ctx, `"serving"`); err != nil {
			return err
		}
	}
	return nil
}

func (p *picture) startNode(i int) (err error) {
	name := fmt.Sprintf("onair-%d", i+1)
	p.nodes[i], err = p.spawn(name, p.set.Onair, []string{
		"ONAIR_NODE=" + name, "ONAIR_LISTEN=" + p.at.nodes[i].api, "ONAIR_OPS_LISTEN=" + p.at.nodes[i].ops, "ONAIR_LOG_FORMAT=json",
	}, "--config", "onair.yaml")
	return err
}

// startBalancer starts HAProxy, which finds addresses in the environment.
func (p *picture) startBalancer(ctx context.Context) error {
	balancer, err := p.spawn("haproxy", "haproxy", []string{
		"BIND=" + p.at.balancer, "STATS=" + p.at.stats,
		"ONAIR_1=" + p.at.nodes[0].api, "ONAIR_1_OPS=" + port(p.at.nodes[0].ops),
		"ONAIR_2=" + p.at.nodes[1].api, "ONAIR_2_OPS=" + port(p.at.nodes[1].ops),
	}, "-db", "-n", "4000", "-f", p.path("haproxy.cfg"))
	if err != nil {
		return err
	}
	ctx, release := balancer.WhileRunning(ctx)
	defer release()
	return answers(ctx, "http://"+p.at.balancer+"/v1/streams")
}

func (p *picture) startMedia(ctx context.Context) error {
	media, err := p.startNginx("media", p.path("media.conf"))
	if err == nil {
		_, err = media.AwaitLine(ctx, "start worker process ")
	}
	return err
}

// startNginx starts an nginx that has its files in the folder of the picture.
func (p *picture) startNginx(name, conf string) (*program.Program, error) {
	return p.spawn(name, "nginx", nil, "-e", "stderr", "-p", p.dir, "-c", conf, "-g", "pid "+p.path(name+".pid")+";")
}

func (p *picture) startPrometheus(ctx context.Context) error {
	prometheus, err := p.spawn("prometheus", "prometheus", nil, "--config.file", p.path("prometheus/prometheus.yml"),
		"--storage.tsdb.path", p.path("tsdb"), "--web.listen-address", p.at.prometheus)
	if err != nil {
		return err
	}
	ctx, release := prometheus.WhileRunning(ctx)
	defer release()
	return answers(ctx, "http://"+p.at.prometheus+"/-/ready")
}

func (p *picture) startSimulator(context.Context) error {
	args, err := p.command("simulator")
	if err == nil {
		_, err = p.spawn("simulator", p.set.Loadtest, nil, args...)
	}
	return err
}

// answers waits until a URL is answered with 200.
func answers(ctx context.Context, url string) error {
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
			return fmt.Errorf("%s is not answered: %w", url, context.Cause(ctx))
		}
	}
}

// end ends everything, the last to start first, and removes the folder.
func (p *picture) end() {
	for _, c := range slices.Backward(p.all) {
		c.Stop()
	}
	_ = os.RemoveAll(p.dir) // nobody can do anything about it
}
