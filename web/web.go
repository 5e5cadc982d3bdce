// Package web embeds the pages of the server: the live wall, the studio and the console.
// make pages builds them from pages/ into dist/. If they are not built, a placeholder
// page explains how to build them.
package web

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

//go:embed placeholder.html
var placeholderHTML []byte

// contentPolicy restricts scripts and styles to the server's own files. Covers, streams
// and recordings may be on any host, and so may the server's sockets.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; " +
	"media-src 'self' http: https: blob:; connect-src 'self' http: https: ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is a file with its response headers.
type file struct {
	contentType, contentPolicy, etag string
	body                             []byte
	gzip, brotli                     []byte // nil if the build has no compressed variant
	isImmutable                      bool   // its name changes with its content
}

// fileHandler serves files by their URL path.
type fileHandler map[string]*file

// Handler serves the embedded pages, and answers 404 to all other requests.
func Handler() http.Handler {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // dist is a valid path
	}
	files, err := loadFiles(built)
	if err != nil {
		panic(err) // embedded files are readable
	}
	if files["/"] == nil {
		files["/"] = newPlaceholder()
	}
	return files
}

// loadFiles reads the built files. index.html is at /, and other pages are at their
// names without .html.
func loadFiles(built fs.FS) (fileHandler, error) {
	files := fileHandler{}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		extension := path.Ext(name)
		if err != nil || d.IsDir() || extension == ".gz" || extension == ".br" || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		urlPath := "/" + name
		if name == "index.html" {
			urlPath = "/"
		}
		files[strings.TrimSuffix(urlPath, ".html")], err = readFile(built, name)
		return err
	})
	return files, err
}

// readFile reads a file and its compressed variants.
func readFile(built fs.FS, name string) (*file, error) {
	f := &file{
		contentType:   cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream"),
		contentPolicy: contentPolicy, isImmutable: strings.HasPrefix(name, "assets/"),
	}
	var err error
	if f.body, err = fs.ReadFile(built, name); err != nil {
		return nil, err
	}
	for extension, variant := range map[string]*[]byte{".gz": &f.gzip, ".br": &f.brotli} {
		if *variant, err = fs.ReadFile(built, name+extension); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	sum := sha256.Sum256(f.body)
	f.etag = base64.RawURLEncoding.EncodeToString(sum[:12])
	return f, nil
}

// newPlaceholder returns the page for a server without built pages. Its policy allows
// its inline style sheet by a hash.
func newPlaceholder() *file {
	_, rest, _ := strings.Cut(string(placeholderHTML), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return &file{
		contentType: "text/html; charset=utf-8", body: placeholderHTML,
		contentPolicy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// ServeHTTP implements [http.Handler].
func (files fileHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := files[r.URL.Path]
	if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", f.contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // browsers revalidate by the ETag
	if f.isImmutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, etag := f.body, f.etag
	if f.gzip != nil || f.brotli != nil {
		h.Add("Vary", "Accept-Encoding")
		switch {
		case f.brotli != nil && acceptsEncoding(r, "br"):
			body, etag = f.brotli, f.etag+"-br"
			h.Set("Content-Encoding", "br")
		case f.gzip != nil && acceptsEncoding(r, "gzip"):
			body, etag = f.gzip, f.etag+"-gz"
			h.Set("Content-Encoding", "gzip")
		}
	}
	if f.etag != "" {
		h.Set("ETag", `"`+etag+`"`)
		if hasETag(r, `"`+etag+`"`) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if r.Method == http.MethodGet {
		w.Write(body) // a failure means that the client has disconnected
	}
}

// acceptsEncoding reports whether the client accepts a content encoding.
func acceptsEncoding(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == encoding && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// hasETag reports whether the client already has the content with an ETag.
func hasETag(r *http.Request, etag string) bool {
	for part := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if part = strings.TrimSpace(part); strings.TrimPrefix(part, "W/") == etag || part == "*" {
			return true
		}
	}
	return false
}
