package rest

import (
	"net/http"
	"strconv"
	"strings"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/response"
)

// SessionView is a session as the people who operate see it.
type SessionView struct {
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
	EndView
}

// EndView is the end of a session that has ended.
type EndView struct {
	EndedAt    int64  `json:"ended_at,omitempty"`
	DurationMS int64  `json:"duration_ms,omitempty"`
	Reason     string `json:"reason,omitempty"`
	By         string `json:"by,omitempty"`
}

func newSessionView(st *presence.Stream, e *presence.Ended) SessionView {
	v := SessionView{
		Session: st.Session.String(), Code: st.Code, Anchor: st.Anchor, List: st.List, Title: st.Title,
		State: st.State.String(), Away: st.Away.String(), Listed: st.Shown, StartedAt: st.StartedAt,
		Viewers: st.Viewers, PeakViewers: st.PeakViewers, Likes: st.Likes,
	}
	if e != nil {
		v.State, v.Away, v.Listed, v.Viewers = "ended", "", false, 0
		v.EndView = EndView{e.EndedAt, e.DurationMS(), e.Reason.String(), e.By}
	}
	return v
}

// ExplanationView is why a session is in the state that it is in.
type ExplanationView struct {
	SessionView
	Rule        string   `json:"rule"`
	Explanation string   `json:"explanation"`
	Sources     []string `json:"sources,omitempty"`
	// EndsInMS is how long the session lives on if nothing more is heard; left
	// out where no silence ends it.
	EndsInMS *int64         `json:"ends_in_ms,omitempty"`
	Evidence []EvidenceView `json:"evidence"`
}

// EvidenceView is one piece of evidence.
type EvidenceView struct {
	Source string `json:"source"`
	Signal string `json:"sign"`
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

// explainSession answers GET /v1/streams/{code}/why?session=: of the live session,
// else of the last one that had the code, or of the one that is named.
func (a *API) explainSession(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	code, text := r.PathValue("code"), r.URL.Query().Get("session")
	var account presence.Explanation
	known := false
	if text != "" {
		session, err := presence.ParseSession(text)
		if err != nil {
			return &wire.Error{Code: wire.CodeBadRequest, Message: "session is not a session id"}
		}
		a.Node.Read(func(reg *presence.Registry) { account, known = reg.Explain(session) })
	} else {
		a.Node.Read(func(reg *presence.Registry) { account, known = explainLastSession(reg, code) })
	}
	if !known || account.Stream.Code != code {
		return &wire.Error{Code: wire.CodeNotFound, Message: "no session with this live code is known, live or ended in the last 24 hours"}
	}
	out := ExplanationView{
		SessionView: newSessionView(account.Stream, account.Ended), Rule: string(account.Rule), Explanation: explanations[account.Rule],
		Sources: account.Sources.Names(), Evidence: []EvidenceView{},
	}
	if account.EndsIn >= 0 {
		out.EndsInMS = &account.EndsIn
	}
	for _, e := range account.Evidence {
		out.Evidence = append(out.Evidence, EvidenceView{
			Source: e.Source.String(), Signal: e.Signal.String(), At: e.At, AgeMS: max(0, account.At-e.At), Detail: e.Detail,
		})
	}
	response.WriteValue(w, out)
	return nil
}

// explainLastSession gives an account of the session that has a code, or had it last.
func explainLastSession(reg *presence.Registry, code string) (presence.Explanation, bool) {
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

// SessionsPerPage is how many sessions one page has.
const SessionsPerPage = 100

// listSessions answers GET /v1/sessions?state=live|ended&anchor=&from=&cursor=.
// Live sessions come in no order of meaning, those that have ended with the
// last first; from is the least started_at, or ended_at, of those that count.
func (a *API) listSessions(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	q := r.URL.Query()
	state, anchor := q.Get("state"), q.Get("anchor")
	from, fault := parseOptionalNumber(q.Get("from"))
	cursor, bad := parseOptionalNumber(q.Get("cursor"))
	switch {
	case state != "" && state != "live" && state != "ended":
		return &wire.Error{Code: wire.CodeBadRequest, Message: "state is live or ended"}
	case fault:
		return &wire.Error{Code: wire.CodeBadRequest, Message: "from must be Unix milliseconds"}
	case bad:
		return &wire.Error{Code: wire.CodeBadRequest, Message: "cursor is not one that a page came with"}
	}
	var page struct {
		Sessions []SessionView `json:"sessions"`
		Cursor   string        `json:"cursor,omitempty"`
	}
	page.Sessions = []SessionView{}
	a.Node.Read(func(reg *presence.Registry) {
		if state == "ended" {
			page.Sessions, page.Cursor = endedSessionsPage(reg, anchor, from, uint64(cursor))
		} else {
			page.Sessions, page.Cursor = liveSessionsPage(reg, anchor, from, cursor)
		}
	})
	response.WriteValue(w, page)
	return nil
}

// parseOptionalNumber reads a whole number that may be left out; bad is whether it is none.
func parseOptionalNumber(text string) (n int64, bad bool) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err != nil || n < 0
}

func liveSessionsPage(reg *presence.Registry, anchor string, from, cursor int64) (page []SessionView, next string) {
	page = []SessionView{}
	if anchor != "" {
		if st := reg.StreamByAnchor(anchor); st != nil && st.StartedAt >= from {
			page = append(page, newSessionView(st, nil))
		}
		return page, ""
	}
	for st := range reg.StreamsFrom(uint32(min(cursor, 1<<31))) {
		if st.StartedAt < from {
			continue
		}
		if len(page) == SessionsPerPage {
			return page, strconv.FormatUint(uint64(st.Index), 10)
		}
		page = append(page, newSessionView(st, nil))
	}
	return page, ""
}

func endedSessionsPage(reg *presence.Registry, anchor string, from int64, cursor uint64) (page []SessionView, next string) {
	page = []SessionView{}
	for seq, e := range reg.EndedSessions(cursor) {
		if e.EndedAt < from {
			return page, "" // the rest ended before
		}
		if anchor != "" && e.Stream.Anchor != anchor {
			continue
		}
		if len(page) == SessionsPerPage {
			return page, strconv.FormatUint(seq+1, 10)
		}
		page = append(page, newSessionView(e.Stream, e))
	}
	return page, ""
}
