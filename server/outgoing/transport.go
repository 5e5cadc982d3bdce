package outgoing

import (
	"net/http"
	"time"
)

const (
	// maxIdleConnsPerHost is above the typical number of concurrent requests to one host.
	maxIdleConnsPerHost = 32

	maxResponseHeaderBytes = 64 << 10

	// An HTTP/2 connection serves all requests to a host, and outlives those that time out. If
	// a firewall forgot it, each later request would wait for nothing until the kernel gives up,
	// which takes a quarter of an hour. So a ping follows when nothing arrived for pingAfter, and
	// the connection is closed when nothing answers it within pingTimeout.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// NewTransport returns a transport of its own, with the proxies of the environment. The caller
// must close its idle connections when it is not needed any more.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = maxIdleConnsPerHost
	t.MaxResponseHeaderBytes = maxResponseHeaderBytes
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	return t
}
