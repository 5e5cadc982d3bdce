package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// job is the scrape job of all nodes.
const job = "onair"

// prometheus is a real Prometheus on loopback.
type prometheus struct{ address string }

// startPrometheus starts a Prometheus that scrapes the nodes once a second.
func startPrometheus(t *testing.T, nodes []string) *prometheus {
	t.Helper()
	targets, err := json.Marshal(nodes)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	config := "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: " + job + ", static_configs: [{targets: " + string(targets) + "}]}]\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{freeAddress(t)}
	cmd := exec.Command("prometheus", "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", p.address)
	startProgram(t, cmd, "Server is ready to receive web requests")
	return p
}

// freeAddress returns an address with a free port. Prometheus does not report its
// port, so the test must choose it.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// countNumbers evaluates an expression, and counts the values that are numbers.
func (p *prometheus) countNumbers(ctx context.Context, expr string) (numbers int, err error) {
	body, err := httpGet(ctx, "http://"+p.address+"/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, fmt.Errorf("%w in %s", err, strings.TrimSpace(body))
	}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(x) {
			numbers++
		}
	}
	return numbers, nil
}
