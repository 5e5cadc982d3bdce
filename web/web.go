// Package web holds the pages that the server shows, embedded: the live wall, the
// studio and the console, which make web builds of pages/ into dist/. A binary of
// unbuilt pages shows how to build them.
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

// unbuilt is shown while the pages are not built.
//
//go:embed unbuilt.html
var unbuilt []byte

// policy lets pages run and look like what is served beside them, and nothing else.
// Covers, streams and recordings lie anywhere, and so may the server's own sockets.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; " +
	"media-src 'self' http: https: blob:; connect-src 'self' http: https: ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page is a file as it is served.
type page struct {
	kind, policy, etag string
	text               []byte
	gzip, brotli       []byte // nil: there is none
	forever            bool   // its name changes with its content
}

// pages are the files by their paths.
type pages map[string]*page

// load reads the built pages. They are at / and, without their .html, at paths of
// their names.
func load(built fs.FS) (pages, error) {
	all := pages{}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		ending := path.Ext(name)
		if err != nil || d.IsDir() || ending == ".gz" || ending == ".br" || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		p := &page{kind: cmp.Or(mime.TypeByExtension(ending), "application/octet-stream"), policy: policy, forever: strings.HasPrefix(name, "assets/")}
		if p.text, err = fs.ReadFile(built, name); err != nil {
			return err
		}
		for variant, to := range map[string]*[]byte{".gz": &p.gzip, ".br": &p.brotli} {
			if *to, err = fs.ReadFile(built, name+variant); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		sum := sha256.Sum256(p.text)
		p.etag = base64.RawURLEncoding.EncodeToString(sum[:12])
		at := "/" + name
		if name == "index.html" {
			at = "/"
		}
		all[strings.TrimSuffix(at, ".html")] = p
		return nil
	})
	return all, err
}

// placeholder is what unbuilt pages are: one, whose style sheet is allowed by its hash.
func placeholder() *page {
	_, rest, _ := strings.Cut(string(unbuilt), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return &page{
		kind: "text/html; charset=utf-8", text: unbuilt,
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// Handler serves the pages. Anything else is not found.
func Handler() http.Handler {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only for a path that is none
	}
	all, err := load(built)
	if err != nil {
		panic(err) // what is embedded can be read
	}
	if all["/"] == nil {
		all["/"] = placeholder()
	}
	return all
}

// ServeHTTP implements [http.Handler].
func (all pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := all[r.URL.Path]
	if p == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", p.kind)
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // asked after each time, by its tag
	if p.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	text, tag := p.text, p.etag
	if p.gzip != nil || p.brotli != nil {
		h.Add("Vary", "Accept-Encoding")
		switch {
		case p.brotli != nil && accepts(r, "br"):
			text, tag = p.brotli, p.etag+"-br"
			h.Set("Content-Encoding", "br")
		case p.gzip != nil && accepts(r, "gzip"):
			text, tag = p.gzip, p.etag+"-gz"
			h.Set("Content-Encoding", "gzip")
		}
	}
	if p.etag != "" {
		h.Set("ETag", `"`+tag+`"`)
		if matches(r, `"`+tag+`"`) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if r.Method == http.MethodGet {
		w.Write(text) // who has gone has gone
	}
}

// accepts reports whether a client takes an encoding.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == encoding && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// matches reports whether a client has what the tag is of.
func matches(r *http.Request, tag string) bool {
	for part := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if part = strings.TrimSpace(part); strings.TrimPrefix(part, "W/") == tag || part == "*" {
			return true
		}
	}
	return false
}
