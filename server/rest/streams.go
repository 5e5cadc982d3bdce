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
	page, err := a.Hub.Page(q, r.URL.Query().Get("cursor"))
	if err != nil {
		return err
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

// matchesETag reports whether the values of If-None-Match contain the tag, by weak comparison
// (RFC 9110, 13.1.2).
func matchesETag(headerValues []string, tag string) bool {
	for _, value := range headerValues {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// maxQueryAnchors is the maximum number of user ids in a query of a URL.
const maxQueryAnchors = 100

// parseQuery parses a query from a URL, which has the members of a subscribe message. Lists are
// separated by commas.
func parseQuery(r *http.Request) (*wire.Subscribe, error) {
	v := r.URL.Query()
	q := &wire.Subscribe{
		List: v.Get("list"), Sort: v.Get("sort"),
		Tags: splitListOrNil(v["tags"]), Anchors: splitListOrNil(v["anchors"]), Play: splitListOrNil(v["play"]),
	}
	if len(q.Anchors) > maxQueryAnchors {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "anchors names more than 100 user ids"}
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "limit must be a whole number of at least 1"}
		}
		q.Limit = n
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return q, nil
}

// splitListOrNil parses a list from repeated and comma-separated values. Without values it returns
// nil; empty values are an empty list.
func splitListOrNil(values []string) []string {
	if values == nil {
		return nil
	}
	items := []string{}
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if item != "" {
				items = append(items, item)
			}
		}
	}
	return items
}

// getStream answers GET /v1/streams/{code}.
func (a *API) getStream(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	st := a.Hub.StreamByCode(r.PathValue("code"))
	if st == nil {
		return broadcast.NewNotLiveError()
	}
	e := hub.Entry(st)
	response.WriteCacheableJSON(w, wire.AppendEntry(nil, &e))
	return nil
}

// getPlayURLs answers GET /v1/streams/{code}/play with signed play URLs.
func (a *API) getPlayURLs(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	st := a.Hub.StreamByCode(r.PathValue("code"))
	if st == nil {
		return broadcast.NewNotLiveError()
	}
	play, expires := a.URLs.PlayURLs(st.Code, a.logTime())
	body := append([]byte(`{"code":`), wire.AppendJSONString(nil, st.Code)...)
	body = append(append(body, `,"play":`...), play...)
	body = strconv.AppendInt(append(body, `,"expires_at":`...), expires, 10)
	w.Header().Set("Cache-Control", "no-store")
	response.WriteCacheableJSON(w, append(body, '}'))
	return nil
}
