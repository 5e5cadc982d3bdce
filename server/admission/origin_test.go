package admission

import (
	"net/http/httptest"
	"testing"
)

// TestOrigins are compared as browsers send them.
func TestOrigins(t *testing.T) {
	patterns := []string{"*.example.com", "https://app.example.org", "http://dev.example.org:8080", "capacitor://localhost", "file://"}
	for origin, want := range map[string]bool{
		"": true, "https://a.example.com": true, "https://A.Example.com": true, "https://a.example.com:443": true, "http://a.example.com:80": true,
		"https://a.example.com:8443": false, "https://example.com": false, "https://a.example.com.evil.org": false,
		"https://app.example.org": true, "https://app.example.org:443": true, "http://app.example.org": false, "http://app.example.org:443": false,
		"http://dev.example.org:8080": true, "http://dev.example.org": false, "capacitor://localhost": true, "file://": true,
		"null": false, "https://own.example": true, "https://own.example:443": true, "http://own.example": true, "https://own.example:444": false, "://": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "Own.example"
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := IsAllowedPage(r, patterns); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
	}
	for pattern, want := range map[string]bool{"null": true, "*": true, "n*": false, "file://": false} {
		if got := IsAllowedOrigin("null", []string{pattern}); got != want {
			t.Errorf("null with the pattern %q: %v, want %v", pattern, got, want)
		}
	}
}
