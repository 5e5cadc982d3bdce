package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// keys are the secrets of one run. They go to onair in its environment: a
// command line can be read by everybody on the machine.
type keys struct{ auth, push, play, hook, vod string }

func (k keys) environ() []string {
	return []string{
		"ONAIR_AUTH_SECRET=" + k.auth, "ONAIR_PUSH_KEY=" + k.push, "ONAIR_PLAY_KEY=" + k.play,
		"ONAIR_HOOKS_NGINX_RTMP_SECRET=" + k.hook, "ONAIR_VOD_KEY=" + k.vod,
	}
}

// startOnair starts the server and waits until it serves.
func (st *stage) startOnair(ctx context.Context) (err error) {
	rtmp, http := port(st.rtmp), port(st.web)
	cmd := exec.Command(
		st.set.Onair,
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0",
		"--data", filepath.Join(st.dir, "data"), "--node", "demo", "--log.format", "json", "--drain", "1s",
		"--heartbeat.interval", st.set.Heartbeat.String(), "--liveness.end-grace", st.set.EndGrace.String(),
		"--push.domain", st.rtmp, "--push.app", app,
		"--play.domain", "127.0.0.1", "--play.app", app, "--play.scheme", "http",
		"--play.ports", "rtmp="+rtmp+",hls="+http, "--play.protocols", "rtmp,hls",
		"--hooks.nginx-rtmp.enabled", "true", "--viewer.anonymous", "true",
		"--vod.provider", "secure_link", "--vod.domain", "http://"+st.web+"/rec", "--vod.root", filepath.Join(st.dir, "rec"),
	)
	if st.set.Grace != 0 {
		cmd.Args = append(cmd.Args, "--heartbeat.grace", st.set.Grace.String())
	}
	if st.set.Asked {
		cmd.Args = append(
			cmd.Args, "--poll.provider", "nginx_rtmp", "--poll.interval", "1s", "--cloud.url", "http://"+st.web+"/stat",
			"--moderation.provider", "nginx_rtmp", "--cloud.control-url", "http://"+st.web+"/control",
		)
	}
	cmd.Env = st.keys.environ()
	cmd.Dir = st.dir
	if st.onair, err = st.spawn("onair", cmd); err != nil {
		return err
	}
	line, err := st.onair.AwaitLine(ctx, `"serving"`)
	if err != nil {
		return err
	}
	var serving struct{ Address, Ops string }
	if err := json.Unmarshal([]byte(line), &serving); err != nil || serving.Address == "" {
		return fmt.Errorf("onair does not say where it serves: %s", line)
	}
	st.api, st.ops = serving.Address, serving.Ops
	return nil
}

// token has onair mint a token.
func (st *stage) token(ctx context.Context, role, sub string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, st.set.Onair, "token", "--role", role, "--sub", sub)
	cmd.Env = st.keys.environ()
	cmd.Dir = st.dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("onair token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
