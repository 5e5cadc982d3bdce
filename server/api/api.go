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

	"go.yaml.in/yaml/v3"
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
	var d servedDocuments
	schemas, err := readEmbeddedYAML("schemas.yaml")
	if err == nil {
		d.openAPI, d.httpPage, err = newDocumentWithPage("openapi.yaml", schemas, newHTTPPage)
	}
	if err == nil {
		d.asyncAPI, d.socketsPage, err = newDocumentWithPage("asyncapi.yaml", schemas, newSocketsPage)
	}
	return &d, err
}

// newDocumentWithPage returns an embedded document as JSON, and the HTML page of it.
func newDocumentWithPage(fileName string, schemas *yaml.Node, newPage func(doc *yaml.Node) *docPage) (asJSON, asPage *document, err error) {
	doc, err := readBundledDocument(fileName, schemas)
	if err != nil {
		return nil, nil, err
	}
	html, pagePolicy, err := newPage(doc).render()
	if err != nil {
		return nil, nil, err
	}
	// Pages of other origins may read the JSON, but it executes nothing.
	const policy = "default-src 'none'; frame-ancestors 'none'"
	return newDocument("application/json", policy, indentedJSON(doc)), newDocument("text/html; charset=utf-8", pagePolicy, html), nil
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
