// Package api serves the documents of the interface: OpenAPI for HTTP, AsyncAPI for the
// sockets, and an HTML page of each. The embedded YAML files are written by hand;
// schemas.yaml holds the schemas that both use. Tests compare all of it with the code.
package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

// documents builds the documents once, for all servers of the process.
var documents = sync.OnceValue(func() *servedDocuments {
	d, err := newServedDocuments()
	if err != nil {
		panic("api: " + err.Error()) // tests build the same embedded files
	}
	return d
})

// servedDocuments are the documents as served.
type servedDocuments struct {
	openAPI, asyncAPI, httpPage, socketsPage *document
}

// document is a file as served.
type document struct {
	contentType, securityPolicy, etag string
	content                           []byte
}

func newDocument(contentType, securityPolicy string, content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{contentType, securityPolicy, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, content}
}

func newServedDocuments() (*servedDocuments, error) {
	schemas, err := readEmbeddedYAML("schemas.yaml")
	if err != nil {
		return nil, err
	}
	openAPI, err := readBundledDocument("openapi.yaml", schemas)
	if err != nil {
		return nil, err
	}
	asyncAPI, err := readBundledDocument("asyncapi.yaml", schemas)
	if err != nil {
		return nil, err
	}
	httpPage, err := newPageDocument(newHTTPPage(openAPI))
	if err != nil {
		return nil, err
	}
	socketsPage, err := newPageDocument(newSocketsPage(asyncAPI))
	if err != nil {
		return nil, err
	}
	// Pages of other origins may read the JSON, but it executes nothing.
	const policy = "default-src 'none'; frame-ancestors 'none'"
	return &servedDocuments{
		openAPI:     newDocument("application/json", policy, indentedJSON(openAPI)),
		asyncAPI:    newDocument("application/json", policy, indentedJSON(asyncAPI)),
		httpPage:    httpPage,
		socketsPage: socketsPage,
	}, nil
}

func newPageDocument(p *docPage) (*document, error) {
	html, policy, err := p.render()
	if err != nil {
		return nil, err
	}
	return newDocument("text/html; charset=utf-8", policy, html), nil
}

// OpenAPI returns the document of HTTP as served. The caller must not change it.
func OpenAPI() []byte { return documents().openAPI.content }

// AsyncAPI returns the document of the sockets as served. The caller must not change it.
func AsyncAPI() []byte { return documents().asyncAPI.content }

// Handler serves /openapi.json, /asyncapi.json, /docs (HTTP) and /docs/sockets.
func Handler() http.Handler {
	d := documents()
	mux := http.NewServeMux()
	mux.Handle("GET /openapi.json", d.openAPI)
	mux.Handle("GET /asyncapi.json", d.asyncAPI)
	mux.Handle("GET /docs", d.httpPage)
	mux.Handle("GET /docs/sockets", d.socketsPage)
	return mux
}

// ServeHTTP implements [http.Handler].
func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Security-Policy", d.securityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // clients revalidate by the ETag
	h.Set("ETag", d.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.content))
}
