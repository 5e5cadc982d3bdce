package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// places are the addresses that the programs have here.
type places struct {
	nodes      [2]node
	redis      string
	balancer   string
	stats      string
	rtmp, hls  string
	prometheus string
}

// node is where one of the servers listens.
type node struct{ api, ops string }

// findPlaces finds ports that are free, all at once, so that they differ.
func findPlaces() (at places, err error) {
	for _, address := range []*string{
		&at.nodes[0].api, &at.nodes[0].ops, &at.nodes[1].api, &at.nodes[1].ops,
		&at.redis, &at.balancer, &at.stats, &at.rtmp, &at.hls, &at.prometheus,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return at, err
		}
		defer l.Close()
		*address = l.Addr().String()
	}
	return at, nil
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address) // a listener's own address
	return port
}

// translate puts the places of this machine where the files of compose.yaml
// have those of its containers.
func (at *places) translate(dir string) *strings.Replacer {
	temp := filepath.Join(dir, "temp")
	pairs := []string{
		"onair-1:8080", at.nodes[0].api, "onair-1:9090", at.nodes[0].ops,
		"onair-2:8080", at.nodes[1].api, "onair-2:9090", at.nodes[1].ops,
		"redis:6379", at.redis, "balancer:8080", at.balancer,
		"localhost:1935", at.rtmp, "localhost:8088", at.hls,
		"rtmp: 1935", "rtmp: " + port(at.rtmp), "hls: 8088", "hls: " + port(at.hls),
		"play.domain: localhost", "play.domain: 127.0.0.1",
		"listen 1935;", "listen " + at.rtmp + ";", "listen 8088;", "listen " + at.hls + ";",
		"10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16", "127.0.0.0/8",
		"/keys", filepath.Join(dir, "keys"), "/recordings", filepath.Join(dir, "recordings"), "/hls", filepath.Join(dir, "hls"),
		// Callbacks through a proxy at the very address of who calls are refused.
		"balance leastconn", "source 127.0.0.3\n    balance leastconn",
		// nginx as somebody who may not write where Debian's does.
		"http {\n", fmt.Sprintf("http { client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; "+
			"uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;\n", temp),
	}
	if os.Geteuid() != 0 {
		pairs = append(pairs, "user root;", "")
	}
	return strings.NewReplacer(pairs...)
}
