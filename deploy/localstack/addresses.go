package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// addresses are the listen addresses of the services.
type addresses struct {
	nodes      [2]nodeAddresses
	redis      string
	balancer   string
	stats      string // HAProxy's page
	rtmp, hls  string
	prometheus string
}

type nodeAddresses struct{ api, ops string }

// findFreeAddresses returns addresses with different free ports.
func findFreeAddresses() (addrs addresses, err error) {
	for _, address := range []*string{
		&addrs.nodes[0].api, &addrs.nodes[0].ops, &addrs.nodes[1].api, &addrs.nodes[1].ops,
		&addrs.redis, &addrs.balancer, &addrs.stats, &addrs.rtmp, &addrs.hls, &addrs.prometheus,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return addrs, err
		}
		defer l.Close() // at the end, so that no port is found twice
		*address = l.Addr().String()
	}
	return addrs, nil
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // a listener's address is valid
	return port
}

// newRewriter replaces the addresses and paths of the containers, in the files of
// compose.yaml, by those of this machine.
func (a *addresses) newRewriter(dir string) *strings.Replacer {
	temp := filepath.Join(dir, "temp")
	pairs := []string{
		"onair-1:8080", a.nodes[0].api, "onair-1:9090", a.nodes[0].ops,
		"onair-2:8080", a.nodes[1].api, "onair-2:9090", a.nodes[1].ops,
		"redis:6379", a.redis, "balancer:8080", a.balancer,
		"localhost:1935", a.rtmp, "localhost:8088", a.hls,
		"rtmp: 1935", "rtmp: " + portOf(a.rtmp), "hls: 8088", "hls: " + portOf(a.hls),
		"play.domain: localhost", "play.domain: 127.0.0.1",
		"listen 1935;", "listen " + a.rtmp + ";", "listen 8088;", "listen " + a.hls + ";",
		"10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16", "127.0.0.0/8",
		"/keys", filepath.Join(dir, "keys"), "/recordings", filepath.Join(dir, "recordings"), "/hls", filepath.Join(dir, "hls"),
		// onair refuses callbacks whose proxy has the caller's own address.
		"balance leastconn", "source 127.0.0.3\n    balance leastconn",
		// This user may not write to the default directories of nginx.
		"http {\n", fmt.Sprintf("http { client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; "+
			"uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;\n", temp),
	}
	if os.Geteuid() != 0 {
		pairs = append(pairs, "user root;", "")
	}
	return strings.NewReplacer(pairs...)
}
