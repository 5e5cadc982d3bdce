package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// writeFiles writes into the stack's folder what the services need: keys, made by the
// script of compose.yaml, and rewritten copies of its files.
func (s *stack) writeFiles() error {
	for _, name := range []string{"keys", "redis", "hls", "recordings", "temp", "prometheus/rules"} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return err
		}
	}
	makeKeys := exec.Command(filepath.Join(s.settings.Deploy, "compose/keys.sh"), s.path("keys"), fmt.Sprint(os.Geteuid()))
	if out, err := makeKeys.CombinedOutput(); err != nil {
		return fmt.Errorf("keys.sh: %w: %s", err, out)
	}
	if err := s.copyFile("compose/onair.yaml", "onair.yaml"); err != nil {
		return err
	}
	if err := s.copyFile("haproxy.cfg", "haproxy.cfg"); err != nil {
		return err
	}
	if err := s.copyFile("media/nginx.conf", "media.conf", "HOOK_KEY", "hook", "VOD_KEY", "vod"); err != nil {
		return err
	}
	if err := s.copyFile("prometheus/prometheus.yml", "prometheus/prometheus.yml"); err != nil {
		return err
	}
	rules, err := filepath.Glob(filepath.Join(s.settings.Deploy, "prometheus/rules/*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range rules {
		name := filepath.Join("prometheus/rules", filepath.Base(file))
		if err := s.copyFile(name, name); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file of compose.yaml into the stack's folder, with this machine's
// addresses. keys are pairs of a placeholder in the file and the name of a key.
func (s *stack) copyFile(from, to string, keys ...string) error {
	text, err := os.ReadFile(filepath.Join(s.settings.Deploy, from))
	if err != nil {
		return err
	}
	rewritten := s.rewriter.Replace(string(text))
	for i := 0; i < len(keys); i += 2 {
		key, err := os.ReadFile(s.path("keys/" + keys[i+1]))
		if err != nil {
			return err
		}
		rewritten = strings.ReplaceAll(rewritten, keys[i], string(key))
	}
	return os.WriteFile(s.path(to), []byte(rewritten), 0o600)
}

// composeCommand returns the command of a service in compose.yaml, with this machine's
// addresses.
func (s *stack) composeCommand(service string) (args []string, err error) {
	text, err := os.ReadFile(filepath.Join(s.settings.Deploy, "compose.yaml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("compose.yaml: %w", err)
	}
	args = file.Services[service].Command
	if len(args) == 0 {
		return nil, fmt.Errorf("compose.yaml has no command for %s", service)
	}
	for i := range args {
		args[i] = s.rewriter.Replace(args[i])
	}
	return args, nil
}
