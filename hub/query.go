package hub

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"onair/hub/wire"
)

// query is a normalised query: queries that mean the same are the same.
type query struct {
	code    string // a view of this one stream; all else but play is then unset
	list    string
	tags    []string // sorted, each once
	follow  bool     // anchors alone, even if there are none
	anchors []string // sorted, each once
	sort    string
	limit   int
	play    []string // sorted, each once

	order string // names filter and sort
	id    string // names the view
}

// newQuery normalises and checks what a client asks for.
func (h *Hub) newQuery(m *wire.Subscribe) (*query, *wire.Error) {
	o, window := &h.options, int(h.window.Load())
	q := &query{
		list: m.List, tags: sortedSet(m.Tags), follow: m.Anchors != nil, anchors: sortedSet(m.Anchors),
		sort: m.Sort, limit: m.Limit, play: sortedSet(m.Play),
	}
	if q.list == "" {
		q.list = o.Lists[0]
	}
	if q.sort == "" {
		q.sort = wire.SortViewers
	}
	if q.limit == 0 {
		q.limit = min(defaultLimit, window)
	}
	fault := ""
	switch {
	case !slices.Contains(o.Lists, q.list):
		fault = fmt.Sprintf("list %q is not one of this server's: %s", q.list, strings.Join(o.Lists, ", "))
	case q.sort != wire.SortViewers && q.sort != wire.SortLikes && q.sort != wire.SortStarted:
		fault = fmt.Sprintf("sort %q is not viewers, likes or started", q.sort)
	case q.limit < 1 || q.limit > window:
		fault = fmt.Sprintf("limit must be from 1 to %d here", window)
	case len(q.anchors) > wire.MaxAnchors:
		fault = fmt.Sprintf("anchors names more than %d user ids", wire.MaxAnchors)
	default:
		fault = o.checkPlay(q.play)
	}
	if fault != "" {
		return nil, &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: fault}
	}
	q.name()
	return q, nil
}

// ViewID names the view that a query is of.
func (h *Hub) ViewID(m *wire.Subscribe) (string, *wire.Error) {
	q, e := h.newQuery(m)
	if e != nil {
		return "", e
	}
	return q.id, nil
}

// newCodeQuery is the query of one stream; nil is all protocols there are.
func (o *Options) newCodeQuery(m *wire.Watch) (*query, *wire.Error) {
	all := sortedSet(o.protocols())
	q := &query{code: m.Code, limit: 1, play: all}
	if m.Play != nil {
		q.play = sortedSet(m.Play)
	}
	if fault := o.checkPlay(q.play); fault != "" {
		return nil, &wire.Error{ID: m.ID, Code: wire.CodeBadRequest, Message: fault}
	}
	q.order = "code/" + q.code
	q.id = q.order
	if !slices.Equal(q.play, all) {
		q.id += "/" + names(q.play)
	}
	return q, nil
}

func (o *Options) protocols() []string {
	if o.Signer == nil {
		return nil
	}
	return o.Signer.Protocols()
}

// checkPlay returns what is wrong with a list of protocols, or "".
func (o *Options) checkPlay(play []string) string {
	have := o.protocols()
	for _, p := range play {
		if !slices.Contains(have, p) {
			return fmt.Sprintf("play: there are no URLs for %q here, but for: %s", p, strings.Join(have, ", "))
		}
	}
	return ""
}

func sortedSet(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// name makes the names of the order and of the view, as in
//
//	live/viewers/tags=game+music            live/viewers/100/tags=game+music/play=flv+hls
//
// Different queries have different names.
func (q *query) name() {
	list := url.PathEscape(q.list)
	if list == "code" {
		list = "list/code" // views of one stream are code/…
	}
	filter := ""
	if len(q.tags) > 0 {
		filter = "/tags=" + names(q.tags)
	}
	if q.follow {
		filter += "/anchors=" + names(q.anchors)
	}
	q.order = list + "/" + q.sort + filter
	q.id = list + "/" + q.sort + "/" + strconv.Itoa(q.limit) + filter
	if len(q.play) > 0 {
		q.id += "/play=" + names(q.play)
	}
}

// maxNames is the longest list of names that is written out in a view's id.
// Longer ones are hashed, for ids must fit into wire.MaxViewBytes.
const maxNames = 48

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// names joins names readably. What no name can contain tells a hash, and one
// name from the next.
func names(list []string) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteByte('+')
		}
		b.WriteString(strings.ReplaceAll(url.PathEscape(s), "+", "%2B"))
	}
	if b.Len() <= maxNames {
		return b.String()
	}
	sum := sha256.Sum256([]byte(b.String()))
	return strconv.Itoa(len(list)) + "*" + idEncoding.EncodeToString(sum[:15])
}
