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

// SessionView is a session as operators see it.
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

// newSessionView returns the view of a session; endedOrNil is nil for a live one.
func newSessionView(st *presence.Stream, endedOrNil *presence.Ended) SessionView {
	v := SessionView{
		Session: st.Session.String(), Code: st.Code, Anchor: st.Anchor, List: st.List, Title: st.Title,
		State: st.State.String(), Away: st.Away.String(), Listed: st.Shown, StartedAt: st.StartedAt,
		Viewers: st.Viewers, PeakViewers: st.PeakViewers, Likes: st.Likes,
	}
	if endedOrNil != nil {
		v.State, v.Away, v.Listed, v.Viewers = "ended", "", false, 0
		v.EndView = EndView{endedOrNil.EndedAt, endedOrNil.DurationMS(), endedOrNil.Reason.String(), endedOrNil.By}
	}
	return v
}

// ExplanationView explains the state of a session.
type ExplanationView struct {
	SessionView
	Rule        string   `json:"rule"`
	Explanation string   `json:"explanation"`
	Sources     []string `json:"sources,omitempty"`
	// EndsInMS is the time until the session ends without a new signal; absent if silence does
	// not end it.
	EndsInMS *int64         `json:"ends_in_ms,omitempty"`
	Evidence []EvidenceView `json:"evidence"`
}

// EvidenceView is what one source last reported.
type EvidenceView struct {
	Source string `json:"source"`
	Signal string `json:"sign"`
	At     int64  `json:"at"`
	AgeMS  int64  `json:"age_ms"`
	Detail string `json:"detail,omitempty"`
}

// explanations describe the rules in sentences.
var explanations = map[presence.Rule]string{
	presence.RuleNoSignal:   "a push URL was issued; no beat and no push was received yet",
	presence.RuleSignal:     "a beat or a push was received, and no source contradicts it",
	presence.RuleMissedBeat: "a beat is overdue",
	presence.RuleMediaEnded: "the media server reported the end of the push, and no new push",
	"stopped":               "the anchor, or its back end, stopped it",
	"missed_beats":          "the maximum number of beats was missed",
	"taken_over":            "the same anchor started again",
	"kicked":                "an operator ended it",
	"banned":                "an operator banned the anchor",
	"stream_lost":           "nothing was published for too long",
}

// explainSession answers GET /v1/streams/{code}/why?session=. Without a session it explains the
// live session of the code, or else the last one.
func (a *API) explainSession(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	code, sessionID := r.PathValue("code"), r.URL.Query().Get("session")
	var explanation presence.Explanation
	found := false
	if sessionID != "" {
		session, err := presence.ParseSession(sessionID)
		if err != nil {
			return &wire.Error{Code: wire.CodeBadRequest, Message: "session is not a session id"}
		}
		a.Node.Read(func(reg *presence.Registry) { explanation, found = reg.Explain(session) })
	} else {
		a.Node.Read(func(reg *presence.Registry) { explanation, found = explainLastSession(reg, code) })
	}
	if !found || explanation.Stream.Code != code {
		return &wire.Error{Code: wire.CodeNotFound, Message: "no session with this live code is live or ended in the last 24 hours"}
	}
	view := ExplanationView{
		SessionView: newSessionView(explanation.Stream, explanation.Ended), Rule: string(explanation.Rule), Explanation: explanations[explanation.Rule],
		Sources: explanation.Sources.Names(), Evidence: []EvidenceView{},
	}
	if explanation.EndsIn >= 0 {
		view.EndsInMS = &explanation.EndsIn
	}
	for _, e := range explanation.Evidence {
		view.Evidence = append(view.Evidence, EvidenceView{
			Source: e.Source.String(), Signal: e.Signal.String(), At: e.At, AgeMS: max(0, explanation.At-e.At), Detail: e.Detail,
		})
	}
	response.WriteValue(w, view)
	return nil
}

// explainLastSession explains the live session of a code, or else the last one that ended.
func explainLastSession(reg *presence.Registry, code string) (explanation presence.Explanation, found bool) {
	if st := reg.StreamByCode(code); st != nil {
		return reg.Explain(st.Session)
	}
	for _, e := range reg.EndedSessionsBackward(0) {
		if e.Stream.Code == code {
			return reg.ExplainEnded(e), true
		}
	}
	return presence.Explanation{}, false
}

// SessionsPerPage is how many sessions one page has.
const SessionsPerPage = 100

// listSessions answers GET /v1/sessions?state=live|ended&anchor=&from=&cursor=. Live sessions
// have no meaningful order; ended ones come newest first. from is the minimum of started_at for
// live sessions, and of ended_at for ended ones.
func (a *API) listSessions(w http.ResponseWriter, r *http.Request, _ auth.Identity) error {
	parameters := r.URL.Query()
	state, anchor := parameters.Get("state"), parameters.Get("anchor")
	from, fromOK := parseOptionalNumber(parameters.Get("from"))
	cursor, cursorOK := parseOptionalNumber(parameters.Get("cursor"))
	switch {
	case state != "" && state != "live" && state != "ended":
		return &wire.Error{Code: wire.CodeBadRequest, Message: "state must be live or ended"}
	case !fromOK:
		return &wire.Error{Code: wire.CodeBadRequest, Message: "from must be Unix milliseconds"}
	case !cursorOK:
		return &wire.Error{Code: wire.CodeBadRequest, Message: "invalid cursor: must be the cursor of a page"}
	}
	var page struct {
		Sessions []SessionView `json:"sessions"`
		Cursor   string        `json:"cursor,omitempty"`
	}
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

// parseOptionalNumber parses a whole number of at least 0. An empty text is 0.
func parseOptionalNumber(text string) (n int64, ok bool) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// liveSessionsPage returns a page of live sessions, all of them or those of an anchor, and the
// cursor of the next page.
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

// endedSessionsPage returns a page of ended sessions, all of them or those of an anchor, and the
// cursor of the next page.
func endedSessionsPage(reg *presence.Registry, anchor string, from int64, cursor uint64) (page []SessionView, next string) {
	page = []SessionView{}
	for seq, e := range reg.EndedSessionsBackward(cursor) {
		if e.EndedAt < from {
			return page, "" // all others ended earlier
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
