package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

// get asks for a path, with headers in pairs.
func get(h http.Handler, path string, headers ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestPages(t *testing.T) {
	all, err := load(fstest.MapFS{
		"index.html": {Data: []byte("wall")}, "studio.html": {Data: []byte("studio")}, "studio.html.gz": {Data: []byte("zip")},
		"assets/a-1.js": {Data: []byte("js")}, "assets/a-1.js.br": {Data: []byte("brotli")}, "assets/a-1.js.gz": {Data: []byte("zip")}, ".gitkeep": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, accept string
		status       int
		encoding     string
		length       int64
		cache        string
	}{
		{"/", "gzip, br", 200, "", 4, "no-cache"},
		{"/studio", "deflate, gzip;q=0.5", 200, "gzip", 3, "no-cache"},
		{"/studio", "gzip; q=0", 200, "", 6, "no-cache"},
		{"/assets/a-1.js", "gzip, br", 200, "br", 6, "public, max-age=31536000, immutable"},
		{"/assets/a-1.js", "gzip", 200, "gzip", 3, "public, max-age=31536000, immutable"},
		{"/assets/a-1.js", "", 200, "", 2, "public, max-age=31536000, immutable"},
		{"/studio.html", "", 404, "", 19, ""},
		{"/index", "", 404, "", 19, ""},
		{"/studio.html.gz", "", 404, "", 19, ""},
		{"/.gitkeep", "", 404, "", 19, ""},
		{"/assets", "", 404, "", 19, ""},
	} {
		a := get(all, c.path, "Accept-Encoding", c.accept)
		body := make([]byte, 100)
		n, _ := a.Body.Read(body)
		if a.StatusCode != c.status || a.Header.Get("Content-Encoding") != c.encoding || int64(n) != c.length || a.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s for %q: %d, %q, %d bytes, %q", c.path, c.accept, a.StatusCode, a.Header.Get("Content-Encoding"), n, a.Header.Get("Cache-Control"))
		}
		tag := a.Header.Get("ETag")
		if c.status != 200 {
			continue
		}
		if again := get(all, c.path, "Accept-Encoding", c.accept, "If-None-Match", `"x", W/`+tag); again.StatusCode != 304 {
			t.Errorf("%s again: %d", c.path, again.StatusCode)
		}
		if other := get(all, c.path, "Accept-Encoding", c.accept, "If-None-Match", `"x"`); other.StatusCode != 200 {
			t.Errorf("%s changed: %d", c.path, other.StatusCode)
		}
	}
	if a := get(all, "/assets/a-1.js"); a.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || a.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("%v", a.Header)
	}
	w := httptest.NewRecorder()
	all.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 404 {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestUnbuilt: there is always something to see.
func TestUnbuilt(t *testing.T) {
	if a := get(Handler(), "/"); a.StatusCode != 200 || a.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if a := get(pages{"/": placeholder()}, "/"); a.StatusCode != 200 || a.Header.Get("ETag") != "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}
