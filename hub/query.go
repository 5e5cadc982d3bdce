package hub

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"onair/hub/wire"
)

// query is a normalised query: equal queries have equal fields.
type query struct {
	code      string // the query of one stream; then only limit and protocols are set, too
	list      string
	tags      []string // sorted set
	byAnchors bool     // only anchors, even if there are none
	anchors   []string // sorted set
	sort      string
	limit     int
	protocols []string // of play URLs, sorted set

	orderName string // identifies filter and sort
	viewID    string // identifies the query
}

// normalizeQuery checks and normalises the query of a client's request.
func (h *Hub) normalizeQuery(m *wire.Subscribe) (*query, error) {
	o, maxWindow := &h.options, int(h.maxWindow.Load())
	q := &query{
		list: cmp.Or(m.List, o.Lists[0]), tags: sortedSet(m.Tags), byAnchors: m.Anchors != nil, anchors: sortedSet(m.Anchors),
		sort: cmp.Or(m.Sort, wire.SortViewers), limit: cmp.Or(m.Limit, min(defaultLimit, maxWindow)), protocols: sortedSet(m.Play),
	}
	fault := ""
	switch {
	case !slices.Contains(o.Lists, q.list):
		fault = fmt.Sprintf("list %q is not one of this server's: %s", q.list, strings.Join(o.Lists, ", "))
	case q.sort != wire.SortViewers && q.sort != wire.SortLikes && q.sort != wire.SortStarted:
		fault = fmt.Sprintf("sort %q is not viewers, likes or started", q.sort)
	case q.limit < 1 || q.limit > maxWindow:
		fault = fmt.Sprintf("limit must be from 1 to %d here", maxWindow)
	case len(q.anchors) > wire.MaxAnchors:
		fault = fmt.Sprintf("anchors names more than %d user ids", wire.MaxAnchors)
	default:
		fault = o.protocolFault(q.protocols)
	}
	if fault != "" {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: fault}
	}
	q.setOrderNameAndViewID()
	return q, nil
}

// ViewID returns the id of a query's view. The error is for the client: the
// query is invalid.
func (h *Hub) ViewID(m *wire.Subscribe) (viewID string, err error) {
	q, err := h.normalizeQuery(m)
	if err != nil {
		return "", err
	}
	return q.viewID, nil
}

// singleStreamQuery is the query of one stream, by default with all protocols.
func (o *Options) singleStreamQuery(m *wire.Watch) (*query, error) {
	all := sortedSet(o.protocols())
	q := &query{code: m.Code, limit: 1, protocols: all}
	if m.Play != nil {
		q.protocols = sortedSet(m.Play)
	}
	if fault := o.protocolFault(q.protocols); fault != "" {
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: fault}
	}
	q.orderName = "code/" + q.code
	q.viewID = q.orderName
	if !slices.Equal(q.protocols, all) {
		q.viewID += "/" + joinOrHashNames(q.protocols)
	}
	return q, nil
}

func (o *Options) protocols() []string {
	if o.Signer == nil {
		return nil
	}
	return o.Signer.Protocols()
}

// protocolFault returns an error text if a protocol has no URLs here, else "".
func (o *Options) protocolFault(protocols []string) (fault string) {
	available := o.protocols()
	for _, p := range protocols {
		if !slices.Contains(available, p) {
			return fmt.Sprintf("play: there are no URLs for %q here, but for: %s", p, strings.Join(available, ", "))
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

// setOrderNameAndViewID sets orderName and viewID, as in
//
//	live/viewers/tags=game+music            live/viewers/100/tags=game+music/play=flv+hls
//
// Different queries have different names.
func (q *query) setOrderNameAndViewID() {
	list := url.PathEscape(q.list)
	if list == "code" {
		list = "list/code" // singleStreamQuery uses the prefix code/
	}
	filter := ""
	if len(q.tags) > 0 {
		filter = "/tags=" + joinOrHashNames(q.tags)
	}
	if q.byAnchors {
		filter += "/anchors=" + joinOrHashNames(q.anchors)
	}
	q.orderName = list + "/" + q.sort + filter
	q.viewID = list + "/" + q.sort + "/" + strconv.Itoa(q.limit) + filter
	if len(q.protocols) > 0 {
		q.viewID += "/play=" + joinOrHashNames(q.protocols)
	}
}

// maxJoinedNames is the longest text of names in a view's id. A longer one is
// hashed, so that ids fit into wire.MaxViewBytes.
const maxJoinedNames = 48

var hashEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// joinOrHashNames joins names with "+", or hashes them. Escaped names contain neither
// "+" nor "*", so different lists have different results.
func joinOrHashNames(names []string) string {
	var b strings.Builder
	for i, s := range names {
		if i > 0 {
			b.WriteByte('+')
		}
		b.WriteString(strings.ReplaceAll(url.PathEscape(s), "+", "%2B"))
	}
	if b.Len() <= maxJoinedNames {
		return b.String()
	}
	sum := sha256.Sum256([]byte(b.String()))
	return strconv.Itoa(len(names)) + "*" + hashEncoding.EncodeToString(sum[:15])
}
