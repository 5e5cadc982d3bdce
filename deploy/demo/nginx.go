package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"onair/deploy/program"
)

// app is the application of the media server, and so the path of push and
// play URLs.
const app = "live"

// nginxConf is a media server that asks onair who may push. One URL takes all
// callbacks: their body tells which it is.
var nginxConf = template.Must(template.New("nginx.conf").Parse(`
{{with .Module}}load_module {{.}};{{end}}
{{if .Root}}user root;{{end}}
daemon off;
worker_processes 1; # streams are a worker's own
pid {{.Dir}}/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
rtmp {
	access_log off;
	server {
		listen {{.RTMP}};
		ping 10s;
		ping_timeout 5s; # a pusher whose line is dead is noticed
		notify_update_timeout 2s;
		application {{.App}} {
			live on;
			drop_idle_publisher 10s;
			on_publish {{.Hook}};
			on_publish_done {{.Hook}};
			{{if not .Open}}on_play {{.Hook}};
			on_play_done {{.Hook}};{{end}}
			on_update {{.Hook}}; # refused: the push is cut
			record all;
			record_path {{.Dir}}/rec;
			record_unique on;
			on_record_done {{.Hook}};
			hls on;
			hls_path {{.Dir}}/hls;
			hls_fragment 1s;
			hls_playlist_length 6s;
		}
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
		location /{{.App}}/ {
			types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
			log_not_found off; # players ask before the first segment is there
			alias {{.Dir}}/hls/;
			add_header Cache-Control no-cache;
		}
		location /stat { rtmp_stat all; }
		location /control { rtmp_control all; }
		location /rec/ { # under a signature of onair's alone
			secure_link $arg_md5,$arg_expires;
			secure_link_md5 "$secure_link_expires$uri {{.VOD}}";
			if ($secure_link = "") { return 403; }
			if ($secure_link = "0") { return 410; }
			alias {{.Dir}}/rec/;
		}
	}
}
`))

// startNginx starts the media server and waits until it listens.
func (st *stage) startNginx(ctx context.Context) error {
	module, err := program.FindRTMPModule(ctx, st.set.Nginx)
	if err != nil {
		return err
	}
	var conf bytes.Buffer
	err = nginxConf.Execute(&conf, map[string]any{
		"Module": module, "Root": os.Geteuid() == 0, "Dir": st.dir, "RTMP": st.rtmp, "Web": st.web, "App": app,
		"VOD": st.keys.vod, "Open": st.set.Open,
		"Hook": fmt.Sprintf("http://%s/v1/hooks/nginx-rtmp/%s", st.set.Detour(st.api), st.keys.hook),
	})
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(st.dir, "rec"), 0o700); err != nil {
		return err
	}
	path := filepath.Join(st.dir, "nginx.conf")
	if err := os.WriteFile(path, conf.Bytes(), 0o600); err != nil {
		return err
	}
	if st.nginx, err = st.spawn("nginx", exec.Command(st.set.Nginx, "-e", "stderr", "-p", st.dir, "-c", path)); err != nil {
		return err
	}
	_, err = st.nginx.AwaitLine(ctx, "start worker process ")
	return err
}
