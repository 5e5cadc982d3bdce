package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

// serveGet serves a GET request with headers in pairs.
func serveGet(h http.Handler, path string, headers ...string) *http.Response {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// TestHandlerServesFiles checks paths, encodings, caching, ETags and policies.
func TestHandlerServesFiles(t *testing.T) {
	files, err := loadFiles(fstest.MapFS{
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
		response := serveGet(files, c.path, "Accept-Encoding", c.accept)
		body := make([]byte, 100)
		n, _ := response.Body.Read(body)
		if response.StatusCode != c.status || response.Header.Get("Content-Encoding") != c.encoding || int64(n) != c.length || response.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s for %q: %d, %q, %d bytes, %q", c.path, c.accept, response.StatusCode, response.Header.Get("Content-Encoding"), n, response.Header.Get("Cache-Control"))
		}
		etag := response.Header.Get("ETag")
		if c.status != 200 {
			continue
		}
		if unchanged := serveGet(files, c.path, "Accept-Encoding", c.accept, "If-None-Match", `"x", W/`+etag); unchanged.StatusCode != 304 {
			t.Errorf("%s with its ETag: %d", c.path, unchanged.StatusCode)
		}
		if changed := serveGet(files, c.path, "Accept-Encoding", c.accept, "If-None-Match", `"x"`); changed.StatusCode != 200 {
			t.Errorf("%s with another ETag: %d", c.path, changed.StatusCode)
		}
	}
	if response := serveGet(files, "/assets/a-1.js"); response.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || response.Header.Get("Content-Security-Policy") != contentPolicy {
		t.Errorf("%v", response.Header)
	}
	w := httptest.NewRecorder()
	files.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 404 {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestPlaceholder checks that the root is served with and without built pages.
func TestPlaceholder(t *testing.T) {
	if response := serveGet(Handler(), "/"); response.StatusCode != 200 || response.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
	if response := serveGet(fileHandler{"/": newPlaceholder()}, "/"); response.StatusCode != 200 || response.Header.Get("ETag") != "" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}
