package cloud

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

var nginxConf = template.Must(template.New("nginx.conf").Parse(`
{{with .Module}}load_module {{.}};{{end}}
{{if .Root}}user root;{{end}}
daemon off;
worker_processes 1;
pid {{.Dir}}/nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
rtmp {
	access_log off;
	server {
		listen {{.RTMP}};
		application live { live on; }
		application other { live on; }
	}
}
http {
	access_log off;
	client_body_temp_path {{.Dir}}/temp;
	proxy_temp_path {{.Dir}}/temp;
	fastcgi_temp_path {{.Dir}}/temp;
	uwsgi_temp_path {{.Dir}}/temp;
	scgi_temp_path {{.Dir}}/temp;
	server {
		listen {{.Web}};
		location /stat { rtmp_stat all; }
		location /control { rtmp_control all; }
	}
}
`))

// TestNginxServer lists and cuts pushes on a real nginx. The text of clients does not
// break its page.
func TestNginxServer(t *testing.T) {
	rtmp, web := startNginx(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	n, err := NewNginxRTMP("http://"+web+"/stat", "http://"+web+"/control", "live", Options{Budget: unlimitedBudget(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	waitForOnline := func(want ...string) {
		t.Helper()
		for {
			got, err := collectOnline(n.ForEachOnline, ctx)
			slices.Sort(got)
			if err == nil && slices.Equal(got, want) {
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("online %q, %v; want %q", got, err, want)
			}
		}
	}
	waitForOnline()
	alice := startPush(t, "rtmp://"+rtmp+"/live/8888_alice", "LNX\x01\xff<publishing/>")
	bob := startPush(t, "rtmp://"+rtmp+"/live/8888_bob", "")
	carol := startPush(t, "rtmp://"+rtmp+"/other/8888_carol", "")
	waitForOnline("8888_alice", "8888_bob")

	for _, code := range []string{"8888_nobody", "8888_carol"} { // this application has neither
		if err := n.CutPush(ctx, code); err != nil {
			t.Error(err)
		}
	}
	if err := n.CutPush(ctx, "8888_bob"); err != nil {
		t.Error(err)
	}
	select {
	case <-bob:
	case <-ctx.Done():
		t.Fatal("the push goes on after CutPush")
	}
	waitForOnline("8888_alice")
	for name, ended := range map[string]<-chan struct{}{"alice": alice, "carol": carol} {
		select {
		case <-ended:
			t.Errorf("CutPush ended the push of %s", name)
		default:
		}
	}
}

// startPush pushes a test video until the test ends; ended is closed if it ends before.
func startPush(t *testing.T, link, flashver string) (ended <-chan struct{}) {
	t.Helper()
	args := []string{"-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-t", "60", "-c:v", "flv1"}
	if flashver != "" {
		args = append(args, "-rtmp_flashver", flashver)
	}
	return startProgram(t, exec.Command("ffmpeg", append(args, "-f", "flv", link)...), nil)
}

// startNginx runs nginx until the test ends.
func startNginx(t *testing.T) (rtmp, web string) {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin = "/usr/sbin/nginx" // on some systems it is not in the PATH of users
	}
	dir := t.TempDir()
	rtmp, web = freeAddress(t), freeAddress(t)
	var conf bytes.Buffer
	err = nginxConf.Execute(&conf, map[string]any{"Module": rtmpModule(t, bin), "Root": os.Geteuid() == 0, "Dir": dir, "RTMP": rtmp, "Web": web})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, conf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &outputWaiter{text: "start worker process ", matched: make(chan struct{})}
	ended := startProgram(t, exec.Command(bin, "-e", "stderr", "-p", dir, "-c", path), log)
	select {
	case <-log.matched:
	case <-ended:
		t.Fatalf("nginx did not start:\n%s", log.all)
	case <-shortContext(t).Done():
		t.Fatal("nginx does not start")
	}
	return rtmp, web
}

var modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)

// rtmpModule returns the file of the module, or "" if nginx was built with it.
func rtmpModule(t *testing.T, nginx string) string {
	t.Helper()
	built, err := exec.CommandContext(shortContext(t), nginx, "-V").CombinedOutput()
	if err != nil {
		t.Fatalf("this test needs nginx with the RTMP module, and ffmpeg: %v", err)
	}
	if m := modulesPath.FindSubmatch(built); m != nil {
		file := filepath.Join(string(m[1]), "ngx_rtmp_module.so")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	if !strings.Contains(string(built), "rtmp") {
		t.Fatal("this nginx has no RTMP module; Debian has it in libnginx-mod-rtmp")
	}
	return ""
}

// freeAddress returns an address without a listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startProgram runs a program until it or the test ends.
func startProgram(t *testing.T, cmd *exec.Cmd, log *outputWaiter) (ended <-chan struct{}) {
	t.Helper()
	if log != nil {
		cmd.Stderr = log
	}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs nginx with the RTMP module, and ffmpeg: %v", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its exit code does not matter
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // nginx ends its worker; it may have ended
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	return done
}

// outputWaiter waits for a text in the output of a program. One goroutine writes.
type outputWaiter struct {
	text    string
	all     []byte
	matched chan struct{} // closed when the text has occurred
	done    bool
}

func (w *outputWaiter) Write(p []byte) (int, error) {
	w.all = append(w.all, p...)
	if !w.done && bytes.Contains(w.all, []byte(w.text)) {
		w.done = true
		close(w.matched)
	}
	return len(p), nil
}
