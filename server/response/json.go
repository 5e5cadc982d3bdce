package response

import (
	"bytes"
	"encoding/json"
	"net/http"

	"onair/hub/wire"
)

// WriteMessage writes a message of the protocol. Its JSON is the same as on sockets.
func WriteMessage(w http.ResponseWriter, status int, m wire.Message) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, wire.Append(nil, m))
}

// WriteValue writes the JSON of a value that always encodes. Clients must not cache it.
func WriteValue(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // keeps & in URLs readable
	_ = e.Encode(v)
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, http.StatusOK, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// WriteCacheableJSON writes encoded JSON that clients may cache and must revalidate,
// unless the header has another Cache-Control.
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
