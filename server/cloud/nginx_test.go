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

// TestRealNginx: pushes begin, are seen, are cut and are gone. What a client calls
// itself makes the page unreadable for nobody.
func TestRealNginx(t *testing.T) {
	rtmp, web := startNginx(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	n, err := NewNginxRTMP("http://"+web+"/stat", "http://"+web+"/control", "live", Options{Budget: plenty(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	await := func(want ...string) {
		t.Helper()
		for {
			got, err := list(n.ForEachOnline, ctx)
			slices.Sort(got)
			if err == nil && slices.Equal(got, want) {
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("%q are online, %v; not %q", got, err, want)
			}
		}
	}
	await()
	alice := push(t, "rtmp://"+rtmp+"/live/8888_alice", "LNX\x01\xff<publishing/>")
	bob := push(t, "rtmp://"+rtmp+"/live/8888_bob", "")
	carol := push(t, "rtmp://"+rtmp+"/other/8888_carol", "")
	await("8888_alice", "8888_bob")

	for _, code := range []string{"8888_nobody", "8888_carol"} { // of this application there is neither
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
		t.Fatal("a push that was cut goes on")
	}
	await("8888_alice")
	for name, ended := range map[string]<-chan struct{}{"alice": alice, "carol": carol} {
		select {
		case <-ended:
			t.Errorf("the push of %s has ended too", name)
		default:
		}
	}
}

// push has a picture pushed until the test ends; ended is closed when it does not go
// on.
func push(t *testing.T, link, flashver string) (ended <-chan struct{}) {
	t.Helper()
	args := []string{"-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10", "-t", "60", "-c:v", "flv1"}
	if flashver != "" {
		args = append(args, "-rtmp_flashver", flashver)
	}
	return start(t, exec.Command("ffmpeg", append(args, "-f", "flv", link)...), nil)
}

// startNginx starts a media server for as long as the test lasts.
func startNginx(t *testing.T) (rtmp, web string) {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin = "/usr/sbin/nginx" // some systems keep it where only root looks
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
	log := &said{text: "start worker process ", heard: make(chan struct{})}
	ended := start(t, exec.Command(bin, "-e", "stderr", "-p", dir, "-c", path), log)
	select {
	case <-log.heard:
	case <-ended:
		t.Fatalf("nginx did not start:\n%s", log.all)
	case <-soon(t).Done():
		t.Fatal("nginx does not start")
	}
	return rtmp, web
}

var modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)

// rtmpModule is the file of the module, "" when nginx was built with it.
func rtmpModule(t *testing.T, nginx string) string {
	t.Helper()
	built, err := exec.CommandContext(soon(t), nginx, "-V").CombinedOutput()
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

// freeAddress is one where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program until the test ends, or it does by itself.
func start(t *testing.T, cmd *exec.Cmd, log *said) (ended <-chan struct{}) {
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
		_ = cmd.Wait() // how it ends is no matter
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

// said notes when a program says something. One goroutine writes.
type said struct {
	text  string
	all   []byte
	heard chan struct{} // closed when it has
	done  bool
}

func (s *said) Write(p []byte) (int, error) {
	s.all = append(s.all, p...)
	if !s.done && bytes.Contains(s.all, []byte(s.text)) {
		s.done = true
		close(s.heard)
	}
	return len(p), nil
}
