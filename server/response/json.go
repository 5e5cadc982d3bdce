package response

import (
	"bytes"
	"encoding/json"
	"net/http"

	"onair/hub/wire"
)

// WriteMessage answers with a message of the protocol, as a socket would get it.
func WriteMessage(w http.ResponseWriter, status int, m wire.Message) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, wire.Append(nil, m))
}

// WriteValue answers with the JSON of a value that is known to encode.
func WriteValue(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // URLs are to be read as they are
	_ = e.Encode(v)
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, http.StatusOK, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// WriteCacheableJSON answers with JSON that clients may cache after revalidation, unless
// the header has another Cache-Control already.
func WriteCacheableJSON(w http.ResponseWriter, body []byte) { writeBody(w, http.StatusOK, body) }

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(status)
	w.Write(body)
}
