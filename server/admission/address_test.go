package admission

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"}, // clients can forge it
		{"10.1.1.1:5", nil, "10.1.1.1"},
		{"10.1.1.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9", "198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"10.1.1.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"[2001:db9::1]:4711"}, "2001:db9::1"},
		{"[2001:db8::1]:5", []string{"2001:db9::1"}, "2001:db9::1"},
		{"[::ffff:10.1.1.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"unknown"}, "10.1.1.1"},
		{"10.1.1.1:5", []string{"198.51.100.7, x"}, "10.1.1.1"},
		{"10.1.1.1:5", []string{""}, "10.1.1.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, header := range c.forwarded {
			r.Header.Add("X-Forwarded-For", header)
		}
		if got := ClientAddress(r, proxies); got.String() != c.want {
			t.Errorf("%s %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// FuzzClientAddress: X-Forwarded-For counts only behind a trusted proxy, and no value
// panics.
func FuzzClientAddress(f *testing.F) {
	for _, forwarded := range []string{"198.51.100.7", "a, 10.1.1.1", "[2001:db9::1]:4711", "fe80::1%eth0", ",,,", "10.0.0.1, 10.0.0.2"} {
		f.Add("10.1.1.1:5", forwarded)
	}
	f.Add("192.0.2.1:5", "127.0.0.1")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		client := ClientAddress(r, proxies)
		direct := ClientAddress(r, nil)
		if !IsInNetworks(direct, proxies) && client != direct {
			t.Fatalf("client address of peer %s, which forwarded %q, is %s", peer, forwarded, client)
		}
		if client.Zone() != "" && client != direct {
			t.Fatalf("client address %s has a zone", client)
		}
	})
}
