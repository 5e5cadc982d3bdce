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

// app is the application in nginx-rtmp, and the path of push and play URLs.
const app = "live"

// nginxConf configures nginx-rtmp as the media server. One URL receives all callbacks,
// whose body has the event.
var nginxConf = template.Must(template.New("nginx.conf").Parse(`
{{with .Module}}load_module {{.}};{{end}}
{{if .Root}}user root;{{end}}
daemon off;
worker_processes 1; # workers do not share streams
pid {{.Dir}}/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
rtmp {
	access_log off;
	server {
		listen {{.RTMP}};
		ping 10s;
		ping_timeout 5s; # detects pushers with a dead connection
		notify_update_timeout 2s;
		application {{.App}} {
			live on;
			drop_idle_publisher 10s;
			on_publish {{.Hook}};
			on_publish_done {{.Hook}};
			{{if not .UnsignedPlay}}on_play {{.Hook}};
			on_play_done {{.Hook}};{{end}}
			on_update {{.Hook}}; # a refusal cuts the push
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
			log_not_found off; # players request it before the first segment exists
			alias {{.Dir}}/hls/;
			add_header Cache-Control no-cache;
		}
		location /stat { rtmp_stat all; }
		location /control { rtmp_control all; }
		location /rec/ { # only with a signature of onair
			secure_link $arg_md5,$arg_expires;
			secure_link_md5 "$secure_link_expires$uri {{.VOD}}";
			if ($secure_link = "") { return 403; }
			if ($secure_link = "0") { return 410; }
			alias {{.Dir}}/rec/;
		}
	}
}
`))

// startNginx starts the media server, and waits until it listens.
func (env *environment) startNginx(ctx context.Context) error {
	module, err := program.FindRTMPModule(ctx, env.settings.Nginx)
	if err != nil {
		return err
	}
	var conf bytes.Buffer
	err = nginxConf.Execute(&conf, map[string]any{
		"Module": module, "Root": os.Geteuid() == 0, "Dir": env.dir, "RTMP": env.addrs.rtmp, "Web": env.addrs.web, "App": app,
		"VOD": env.keys.vod, "UnsignedPlay": env.settings.UnsignedPlay,
		"Hook": fmt.Sprintf("http://%s/v1/hooks/nginx-rtmp/%s", env.settings.CallbackAddr(env.addrs.api), env.keys.hook),
	})
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(env.dir, "rec"), 0o700); err != nil {
		return err
	}
	path := filepath.Join(env.dir, "nginx.conf")
	if err := os.WriteFile(path, conf.Bytes(), 0o600); err != nil {
		return err
	}
	if env.nginx, err = env.startProgram("nginx", exec.Command(env.settings.Nginx, "-e", "stderr", "-p", env.dir, "-c", path)); err != nil {
		return err
	}
	_, err = env.nginx.AwaitLine(ctx, "start worker process ")
	return err
}
