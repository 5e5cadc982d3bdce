package main

import (
	"net/http"
	"strconv"
	"strings"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// sessionView is a session as the people who operate see it.
type sessionView struct {
	Session     string `json:"session"`
	Code        string `json:"code"`
	Anchor      string `json:"anchor"`
	List        string `json:"list"`
	Title       string `json:"title"`
	State       string `json:"state"` // starting, live, away or ended
	Away        string `json:"away,omitempty"`
	Listed      bool   `json:"listed"`
	StartedAt   int64  `json:"started_at"`
	Viewers     int64  `json:"viewers"`
	PeakViewers int64  `json:"peak_viewers"`
	Likes       int64  `json:"likes"`

	// Of one that has ended.
	EndedAt    int64  `json:"ended_at,omitempty"`
	DurationMS int64  `json:"duration_ms,omitempty"`
	Reason     string `json:"reason,omitempty"`
	By         string `json:"by,omitempty"`
}

func viewOf(st *presence.Stream, e *presence.Ended) sessionView {
	v := sessionView{
		Session: st.Session.String(), Code: st.Code, Anchor: st.Anchor, List: st.List, Title: st.Title,
		State: st.State.String(), Away: st.Away.String(), Listed: st.Shown, StartedAt: st.StartedAt,
		Viewers: st.Viewers, PeakViewers: st.PeakViewers, Likes: st.Likes,
	}
	if e != nil {
		v.State, v.Away, v.Listed, v.Viewers = "ended", "", false, 0
		v.EndedAt, v.DurationMS, v.Reason, v.By = e.EndedAt, e.DurationMS(), e.Reason.String(), e.By
	}
	return v
}

// account is why a session is in the state that it is in.
type account struct {
	sessionView
	Rule        string   `json:"rule"`
	Explanation string   `json:"explanation"`
	Sources     []string `json:"sources,omitempty"`
	// EndsInMS is how long the session lives on if nothing more is heard; left
	// out where no silence ends it.
	EndsInMS *int64          `json:"ends_in_ms,omitempty"`
	Evidence []pieceOfReason `json:"evidence"`
}

// pieceOfReason is one piece of evidence.
type pieceOfReason struct {
	Source string `json:"source"`
	Sign   string `json:"sign"`
	At     int64  `json:"at"`
	AgeMS  int64  `json:"age_ms"`
	Detail string `json:"detail,omitempty"`
}

// explanations are the rules in a sentence each.
var explanations = map[presence.Rule]string{
	presence.RuleNoSignal:   "a push URL was issued; no beat and no push was heard yet",
	presence.RuleSignal:     "a beat or a push was heard, and nothing speaks against it",
	presence.RuleMissedBeat: "a beat is overdue",
	presence.RuleMediaEnded: "the media server says that the push has ended, and none has begun since",
	"stopped":               "the anchor, or its back end, stopped it",
	"missed_beats":          "as many beats were missed as end a session",
	"taken_over":            "the same anchor started again",
	"kicked":                "an operator ended it",
	"banned":                "an operator banned the anchor",
	"stream_lost":           "nothing was published for too long",
}

// whyStream answers GET /v1/streams/{code}/why?session=: of the live session,
// else of the last one that had the code, or of the one that is named.
func (s *server) whyStream(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	code, text := r.PathValue("code"), r.URL.Query().Get("session")
	var a presence.Explanation
	known := false
	if text != "" {
		session, err := presence.ParseSession(text)
		if err != nil {
			return refuse(wire.CodeBadRequest, "session is not a session id")
		}
		s.node.Read(func(reg *presence.Registry) { a, known = reg.Explain(session) })
	} else {
		s.node.Read(func(reg *presence.Registry) { a, known = whyCode(reg, code) })
	}
	if !known || a.Stream.Code != code {
		return refuse(wire.CodeNotFound, "no session with this live code is known, live or ended in the last 24 hours")
	}
	out := account{
		sessionView: viewOf(a.Stream, a.Ended), Rule: string(a.Rule), Explanation: explanations[a.Rule],
		Sources: a.Sources.Names(), Evidence: []pieceOfReason{},
	}
	if a.EndsIn >= 0 {
		out.EndsInMS = &a.EndsIn
	}
	for _, e := range a.Evidence {
		out.Evidence = append(out.Evidence, pieceOfReason{
			Source: e.Source.String(), Sign: e.Signal.String(), At: e.At, AgeMS: max(0, a.At-e.At), Detail: e.Detail,
		})
	}
	writeValue(w, out)
	return nil
}

// whyCode gives an account of the session that has a code, or had it last.
func whyCode(reg *presence.Registry, code string) (presence.Explanation, bool) {
	if st := reg.StreamByCode(code); st != nil {
		return reg.Explain(st.Session)
	}
	for _, e := range reg.EndedSessions(0) {
		if e.Stream.Code == code {
			return reg.ExplainEnded(e), true
		}
	}
	return presence.Explanation{}, false
}

// sessionsOnPage is how many sessions one page has.
const sessionsOnPage = 100

// listSessions answers GET /v1/sessions?state=live|ended&anchor=&from=&cursor=.
// Live sessions come in no order of meaning, those that have ended with the
// last first; from is the least started_at, or ended_at, of those that count.
func (s *server) listSessions(w http.ResponseWriter, r *http.Request, _ auth.Identity) *wire.Error {
	q := r.URL.Query()
	state, anchor := q.Get("state"), q.Get("anchor")
	from, fault := number(q.Get("from"))
	cursor, bad := number(q.Get("cursor"))
	switch {
	case state != "" && state != "live" && state != "ended":
		return refuse(wire.CodeBadRequest, "state is live or ended")
	case fault:
		return refuse(wire.CodeBadRequest, "from must be Unix milliseconds")
	case bad:
		return refuse(wire.CodeBadRequest, "cursor is not one that a page came with")
	}
	var page struct {
		Sessions []sessionView `json:"sessions"`
		Cursor   string        `json:"cursor,omitempty"`
	}
	page.Sessions = []sessionView{}
	s.node.Read(func(reg *presence.Registry) {
		if state == "ended" {
			page.Sessions, page.Cursor = endedPage(reg, anchor, from, uint64(cursor))
		} else {
			page.Sessions, page.Cursor = livePage(reg, anchor, from, cursor)
		}
	})
	writeValue(w, page)
	return nil
}

// number reads a whole number that may be left out; bad is whether it is none.
func number(text string) (n int64, bad bool) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err != nil || n < 0
}

func livePage(reg *presence.Registry, anchor string, from, cursor int64) (page []sessionView, next string) {
	page = []sessionView{}
	if anchor != "" {
		if st := reg.StreamByAnchor(anchor); st != nil && st.StartedAt >= from {
			page = append(page, viewOf(st, nil))
		}
		return page, ""
	}
	for st := range reg.StreamsFrom(uint32(min(cursor, 1<<31))) {
		if st.StartedAt < from {
			continue
		}
		if len(page) == sessionsOnPage {
			return page, strconv.FormatUint(uint64(st.Index), 10)
		}
		page = append(page, viewOf(st, nil))
	}
	return page, ""
}

func endedPage(reg *presence.Registry, anchor string, from int64, cursor uint64) (page []sessionView, next string) {
	page = []sessionView{}
	for seq, e := range reg.EndedSessions(cursor) {
		if e.EndedAt < from {
			return page, "" // the rest ended before
		}
		if anchor != "" && e.Stream.Anchor != anchor {
			continue
		}
		if len(page) == sessionsOnPage {
			return page, strconv.FormatUint(seq+1, 10)
		}
		page = append(page, viewOf(e.Stream, e))
	}
	return page, ""
}
