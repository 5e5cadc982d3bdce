package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lay puts what the programs need into the folder of the picture: keys, made
// as compose.yaml has them made, and its files with the addresses of here.
func (p *picture) lay() error {
	for _, name := range []string{"keys", "redis", "hls", "recordings", "temp", "prometheus/rules"} {
		if err := os.MkdirAll(p.path(name), 0o700); err != nil {
			return err
		}
	}
	keys := exec.Command(filepath.Join(p.set.Deploy, "compose/keys.sh"), p.path("keys"), fmt.Sprint(os.Geteuid()))
	if out, err := keys.CombinedOutput(); err != nil {
		return fmt.Errorf("keys.sh: %w: %s", err, out)
	}
	if err := p.copy("compose/onair.yaml", "onair.yaml"); err != nil {
		return err
	}
	if err := p.copy("haproxy.cfg", "haproxy.cfg"); err != nil {
		return err
	}
	if err := p.copy("media/nginx.conf", "media.conf", "HOOK_KEY", "hook", "VOD_KEY", "vod"); err != nil {
		return err
	}
	if err := p.copy("prometheus/prometheus.yml", "prometheus/prometheus.yml"); err != nil {
		return err
	}
	rules, err := filepath.Glob(filepath.Join(p.set.Deploy, "prometheus/rules/*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range rules {
		name := filepath.Join("prometheus/rules", filepath.Base(file))
		if err := p.copy(name, name); err != nil {
			return err
		}
	}
	return nil
}

// copy translates a file into the folder of the picture, and puts keys where it
// has their names: pairs of what stands there, and the key.
func (p *picture) copy(from, to string, keys ...string) error {
	text, err := os.ReadFile(filepath.Join(p.set.Deploy, from))
	if err != nil {
		return err
	}
	out := p.here.Replace(string(text))
	for i := 0; i < len(keys); i += 2 {
		key, err := os.ReadFile(p.path("keys/" + keys[i+1]))
		if err != nil {
			return err
		}
		out = strings.ReplaceAll(out, keys[i], string(key))
	}
	return os.WriteFile(p.path(to), []byte(out), 0o600)
}

// command is what compose.yaml has a service run, with the addresses of here.
func (p *picture) command(service string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(p.set.Deploy, "compose.yaml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("compose.yaml: %w", err)
	}
	args := file.Services[service].Command
	if len(args) == 0 {
		return nil, fmt.Errorf("compose.yaml has no command for %s", service)
	}
	for i := range args {
		args[i] = p.here.Replace(args[i])
	}
	return args, nil
}
