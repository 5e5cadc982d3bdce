package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// TestHangupReloads: SIGHUP reads the file again, and a bad file changes nothing.
func TestHangupReloads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "onair.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("limits.window: 5\n")
	p := startProcess(t, t.TempDir(), "--config", file)
	viewer := p.dial("/v1/viewer", "")
	hangup := func(result string) {
		t.Helper()
		metric := `onair_config_reloads_total{result="` + result + `"}`
		before := p.metricText(metric)
		p.cmd.Process.Signal(syscall.SIGHUP)
		nodetest.Eventually(t, result, func() bool { return p.metricText(metric) != before })
	}
	window := func() int {
		n := 0
		for limit := 1; limit < 20; limit++ {
			if p.statusOf("/v1/streams?limit="+nodetest.JSON(limit)) == http.StatusOK {
				n = limit
			}
		}
		return n
	}
	write("limits.window: 6\n")
	hangup("ok")
	if n := window(); n != 6 {
		t.Errorf("limits.window is %d", n)
	}
	for _, bad := range []string{"limits: [", "limits.window: seven\n"} {
		write(bad)
		hangup("failed")
	}
	if n := window(); n != 6 {
		t.Errorf("limits.window is %d after a bad file", n)
	}
	if log := p.logText(); !strings.Contains(log, `"limits.window: `) || !strings.Contains(log, "(file "+file+")") {
		t.Errorf("the log does not name file and key: %s", log)
	}
	if _, err := viewer.Request(&wire.Subscribe{ID: "1"}); err != nil {
		t.Errorf("a socket was dropped: %v", err)
	}
}

// statusOf requests a path and returns the status.
func (p *process) statusOf(path string) int {
	p.t.Helper()
	res, err := http.Get("http://" + p.address + path)
	if err != nil {
		p.t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

// TestTLS: the process serves TLS, and reloads changed certificate files.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := nodetest.WriteCertificate(t, dir, 1, time.Now().Add(time.Hour))
	p := startProcess(t, t.TempDir(), "--tls.cert", cert, "--tls.key", key)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // the serial is checked
	}}
	serial := func() int64 {
		res, err := client.Get("https://" + p.address + "/v1/streams")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	options := nodetest.DialOptions("")
	options.HTTPClient = client
	conn, _, err := websocket.Dial(t.Context(), "wss://"+p.address+"/v1/viewer", options)
	if err != nil {
		t.Fatal(err)
	}
	viewer := nodetest.NewClient(t, conn, 10*time.Second)
	viewer.ReceiveWelcome()
	if status := p.statusOf("/v1/streams"); status != http.StatusBadRequest {
		t.Errorf("plain HTTP beside TLS: status %d", status)
	}
	if _, err := tls.Dial("tcp", p.address, &tls.Config{MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	nodetest.WriteCertificate(t, dir, 2, time.Now().Add(2*time.Hour))
	p.cmd.Process.Signal(syscall.SIGHUP)
	nodetest.Eventually(t, "the new certificate", func() bool { return serial() == 2 })
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	nodetest.Eventually(t, "the failure", func() bool { return p.metricText(`onair_config_reloads_total{result="failed"}`) == "1" })
	if n := serial(); n != 2 {
		t.Errorf("a bad file replaced the certificate: %d", n)
	}
	if _, err := viewer.Request(&wire.Subscribe{ID: "1"}); err != nil {
		t.Errorf("a socket was dropped: %v", err)
	}
}
