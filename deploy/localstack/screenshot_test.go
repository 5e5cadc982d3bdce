package main

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// graphs are the expressions on the screenshot.
var graphs = []string{
	"sum by (instance, kind) (onair_connections)",
	"max by (state) (onair_streams)",
	"sum by (kind) (rate(onair_frames_sent_total[30s]))",
}

// takeScreenshot writes a screenshot of Prometheus's graphs, beside those of the pages,
// for people to check.
func (s *testStack) takeScreenshot() {
	s.t.Helper()
	dir := cmp.Or(os.Getenv("SCREENSHOTS"), filepath.Join(os.TempDir(), "onair-pages"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.png")
	_ = os.Remove(file) // of an earlier run
	query := url.Values{}
	for i, expr := range graphs {
		g := "g" + string(rune('0'+i)) + "."
		query.Set(g+"expr", expr)
		query.Set(g+"tab", "0")
		query.Set(g+"range_input", "1m")
	}
	ctx, cancel := context.WithTimeout(s.ctx, 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+s.path("chromium"), "--window-size=1400,2000", "--virtual-time-budget=10000", "--screenshot="+file,
		"http://"+s.addrs.prometheus+"/graph?"+query.Encode())
	out, err := cmd.CombinedOutput()
	if info, statErr := os.Stat(file); err != nil || statErr != nil || info.Size() < 20_000 {
		s.t.Fatalf("no screenshot of Prometheus: %v\n%s", err, strings.TrimSpace(string(out)))
	}
}
