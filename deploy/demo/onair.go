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

// keys are the random secrets of one run. onair gets them in its environment, because all
// users of the machine can read command lines.
type keys struct{ auth, push, play, hook, vod string }

func (k keys) environment() []string {
	return []string{
		"ONAIR_AUTH_SECRET=" + k.auth, "ONAIR_PUSH_KEY=" + k.push, "ONAIR_PLAY_KEY=" + k.play,
		"ONAIR_HOOKS_NGINX_RTMP_SECRET=" + k.hook, "ONAIR_VOD_KEY=" + k.vod,
	}
}

// startOnair starts onair, and waits until it serves.
func (env *environment) startOnair(ctx context.Context) (err error) {
	rtmp, http := portOf(env.addrs.rtmp), portOf(env.addrs.web)
	cmd := exec.Command(
		env.settings.Onair,
		"--listen", "127.0.0.1:0", "--ops.listen", "127.0.0.1:0",
		"--data", filepath.Join(env.dir, "data"), "--node", "demo", "--log.format", "json", "--drain", "1s",
		"--heartbeat.interval", env.settings.Heartbeat.String(), "--liveness.end-grace", env.settings.EndGrace.String(),
		"--push.domain", env.addrs.rtmp, "--push.app", app,
		"--play.domain", "127.0.0.1", "--play.app", app, "--play.scheme", "http",
		"--play.ports", "rtmp="+rtmp+",hls="+http, "--play.protocols", "rtmp,hls",
		"--hooks.nginx-rtmp.enabled", "true", "--viewer.anonymous", "true",
		"--vod.provider", "secure_link", "--vod.domain", "http://"+env.addrs.web+"/rec", "--vod.root", filepath.Join(env.dir, "rec"),
	)
	if env.settings.Grace != 0 {
		cmd.Args = append(cmd.Args, "--heartbeat.grace", env.settings.Grace.String())
	}
	if env.settings.PollAndControl {
		cmd.Args = append(
			cmd.Args, "--poll.provider", "nginx_rtmp", "--poll.interval", "1s", "--cloud.url", "http://"+env.addrs.web+"/stat",
			"--moderation.provider", "nginx_rtmp", "--cloud.control-url", "http://"+env.addrs.web+"/control",
		)
	}
	cmd.Env = env.keys.environment()
	cmd.Dir = env.dir
	if env.onair, err = env.startProgram("onair", cmd); err != nil {
		return err
	}
	line, err := env.onair.AwaitLine(ctx, `"serving"`)
	if err != nil {
		return err
	}
	var serving struct{ Address, Ops string }
	if err := json.Unmarshal([]byte(line), &serving); err != nil || serving.Address == "" {
		return fmt.Errorf("onair logged no address: %s", line)
	}
	env.addrs.api, env.addrs.ops = serving.Address, serving.Ops
	return nil
}

// mintToken runs onair's command to mint a token.
func (env *environment) mintToken(ctx context.Context, role, sub string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, env.settings.Onair, "token", "--role", role, "--sub", sub)
	cmd.Env = env.keys.environment()
	cmd.Dir = env.dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("onair token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
