package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"onair/hub"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/response"
)

// listStreams answers GET /v1/streams: one page of a query.
func (a *API) listStreams(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	q, err := parseQuery(r)
	if err != nil {
		return err
	}
	page, e := a.Hub.Page(q, r.URL.Query().Get("cursor"))
	if e != nil {
		return e
	}
	tag := `"` + strconv.FormatUint(xxhash.Sum64(page), 36) + `"`
	w.Header().Set("ETag", tag)
	if matchesETag(r.Header.Values("If-None-Match"), tag) {
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	response.WriteCacheableJSON(w, page)
	return nil
}

// matchesETag reports whether an If-None-Match names the tag, by the weak
// comparison that it asks for (RFC 9110, 13.1.2).
func matchesETag(lines []string, tag string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// maxQueryAnchors is how many user ids a query over GET may name.
const maxQueryAnchors = 100

// parseQuery reads a query from a URL: the members of a subscribe, lists
// separated by commas.
func parseQuery(r *http.Request) (*wire.Subscribe, error) {
	v := r.URL.Query()
	q := &wire.Subscribe{
		List: v.Get("list"), Sort: v.Get("sort"),
		Tags: splitList(v["tags"]), Anchors: splitList(v["anchors"]), Play: splitList(v["play"]),
	}
	if len(q.Anchors) > maxQueryAnchors {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "anchors names more than 100 user ids"}
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "limit must be a whole number from 1 on"}
		}
		q.Limit = n
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return q, nil
}

// splitList reads a list from its repeated or comma-separated form. A name that is
// there but empty is an empty list, not an absent one.
func splitList(values []string) []string {
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

// getStream answers GET /v1/streams/{code}.
func (a *API) getStream(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	st := a.Hub.StreamByCode(r.PathValue("code"))
	if st == nil {
		return broadcast.NotLiveError()
	}
	e := hub.Entry(st)
	response.WriteCacheableJSON(w, wire.AppendEntry(nil, &e))
	return nil
}

// getPlayURLs answers GET /v1/streams/{code}/play: signed play URLs.
func (a *API) getPlayURLs(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	st := a.Hub.StreamByCode(r.PathValue("code"))
	if st == nil {
		return broadcast.NotLiveError()
	}
	play, expires := a.URLs.PlayURLs(st.Code, a.logTime())
	body := append([]byte(`{"code":`), wire.AppendJSONString(nil, st.Code)...)
	body = append(append(body, `,"play":`...), play...)
	body = strconv.AppendInt(append(body, `,"expires_at":`...), expires, 10)
	w.Header().Set("Cache-Control", "no-store")
	response.WriteCacheableJSON(w, append(body, '}'))
	return nil
}
