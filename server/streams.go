package main

import (
	"net/http"
	"strconv"
	"strings"

	"onair/hub"
	"onair/hub/wire"
)

// listStreams answers GET /v1/streams: one page of a query.
func (s *server) listStreams(w http.ResponseWriter, r *http.Request) {
	q, e := queryOf(r)
	if e != nil {
		writeProblem(w, e)
		return
	}
	page, e := s.hub.Page(q, r.URL.Query().Get("cursor"))
	if e != nil {
		writeProblem(w, e)
		return
	}
	writeJSON(w, page)
}

// anchorsOverGET is how many user ids a query over GET may name.
const anchorsOverGET = 100

// queryOf reads a query from a URL: the members of a subscribe, lists
// separated by commas.
func queryOf(r *http.Request) (*wire.Subscribe, *wire.Error) {
	v := r.URL.Query()
	q := &wire.Subscribe{
		List: v.Get("list"), Sort: v.Get("sort"),
		Tags: split(v["tags"]), Anchors: split(v["anchors"]), Play: split(v["play"]),
	}
	if len(q.Anchors) > anchorsOverGET {
		return nil, refuse(wire.CodeBadRequest, "anchors names more than 100 user ids")
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, refuse(wire.CodeBadRequest, "limit must be a whole number from 1 on")
		}
		q.Limit = n
	}
	if err := q.Validate(); err != nil {
		return nil, err.(*wire.Error)
	}
	return q, nil
}

// split reads a list from its repeated or comma-separated form. A name that is
// there but empty is an empty list, not an absent one.
func split(values []string) []string {
	if values == nil {
		return nil
	}
	out := []string{}
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// oneStream answers GET /v1/streams/{code}.
func (s *server) oneStream(w http.ResponseWriter, r *http.Request) {
	st := s.hub.Lookup(r.PathValue("code"))
	if st == nil {
		writeProblem(w, refuse(wire.CodeNotFound, "no live stream has this code"))
		return
	}
	e := hub.Entry(st)
	writeJSON(w, wire.AppendEntry(nil, &e))
}

// playStream answers GET /v1/streams/{code}/play: signed play URLs.
func (s *server) playStream(w http.ResponseWriter, r *http.Request) {
	st := s.hub.Lookup(r.PathValue("code"))
	if st == nil {
		writeProblem(w, refuse(wire.CodeNotFound, "no live stream has this code"))
		return
	}
	play, expires := s.playURLs(st.Code)
	body := append([]byte(`{"code":`), wire.AppendString(nil, st.Code)...)
	body = append(append(body, `,"play":`...), play...)
	body = strconv.AppendInt(append(body, `,"expires_at":`...), expires, 10)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, append(body, '}'))
}

func writeJSON(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	w.Write(body)
}

// asViewer lets in who may open a viewer socket.
func (s *server) asViewer(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, known, e := s.identify(r)
		if e == nil && !known && !s.cfg.Viewer.Anonymous {
			e = refuse(wire.CodeUnauthorized, "this needs a token: Authorization: Bearer …")
		}
		if e != nil {
			writeProblem(w, e)
			return
		}
		next(w, r)
	}
}
