package main

import (
	"net/http"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
)

// The calls of apps that hold no socket: start, beat, update and stop. Together
// they are a whole broadcast.

// startStream answers POST /v1/streams.
func (s *server) startStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	m, e := requestOf[*wire.Start](w, r, wire.TypeStart)
	if e != nil {
		return e
	}
	if m.Key, e = keyOf(r, m.Key); e != nil {
		return e
	}
	anchor := who.Subject
	switch {
	case who.Role == auth.Backend && m.Anchor == "":
		return refuse(wire.CodeBadRequest, "a back end must name the anchor")
	case who.Role == auth.Backend:
		anchor = m.Anchor
	case m.Anchor != "" && m.Anchor != who.Subject:
		return refuse(wire.CodeForbidden, "an anchor starts for nobody else")
	case m.Suffix != "":
		return refuse(wire.CodeForbidden, "only a back end may choose the suffix of a live code")
	}
	c, e := s.startCommand(m, anchor, "")
	if e != nil {
		return e
	}
	result, e := s.do(r.Context(), c)
	if e != nil {
		return e
	}
	status := http.StatusCreated
	if result.Repeated {
		status = http.StatusOK
	}
	st := result.Stream
	settings := s.settings()
	w.Header().Set("Location", "/v1/streams/"+st.Code)
	writeMessage(w, status, &wire.Started{
		Stream: hub.Entry(st), Session: st.Session.String(), Push: s.pushURLs(st.Code),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed),
	})
	return nil
}

// beatStream answers POST /v1/streams/{code}/beat. Its answer names the present
// interval; a client that says in its beat that it beats by that one is held to
// it from there on.
func (s *server) beatStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	m, e := requestOf[*wire.Beat](w, r, wire.TypeBeat)
	if e != nil {
		return e
	}
	session, e := s.ownSession(r, who, m.Session)
	if e != nil {
		return e
	}
	settings := s.settings()
	var silence int64
	s.node.Read(func(reg *presence.Registry) { silence = reg.TimeSinceBeat(session) })
	result, held, e := s.hear(r.Context(), session)
	if e != nil {
		return e
	}
	term := settings.Missed*settings.Interval + settings.Grace
	if m.HeartbeatMS == settings.Interval && result.TTL != 0 && result.TTL != term {
		if result, e = s.do(r.Context(), &presence.AdoptSettings{Session: session}); e != nil {
			return e
		}
	}
	s.metrics.beat(time.Duration(silence)*time.Millisecond, &settings)
	s.metrics.stats(&m.Stats)
	writeMessage(w, http.StatusOK, &wire.Ack{
		N: m.N, ServerTime: time.Now().UnixMilli(), DeadlineInMS: result.TTL, Pending: held, HeartbeatMS: settings.Interval,
	})
	return nil
}

// updateStream answers PATCH /v1/streams/{code}.
func (s *server) updateStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	m, e := requestOf[*wire.Update](w, r, wire.TypeUpdate)
	if e != nil {
		return e
	}
	if m.Session == "" {
		m.Session = r.URL.Query().Get("session")
	}
	session, e := s.ownSession(r, who, m.Session)
	if e != nil {
		return e
	}
	c := updateCommand(m, session)
	if c.Key, e = keyOf(r, ""); e != nil {
		return e
	}
	result, e := s.do(r.Context(), c)
	if e != nil {
		return e
	}
	writeMessage(w, http.StatusOK, &wire.Updated{Stream: hub.Entry(result.Stream)})
	return nil
}

// stopStream answers DELETE /v1/streams/{code}?session=.
func (s *server) stopStream(w http.ResponseWriter, r *http.Request, who auth.Identity) *wire.Error {
	key, e := keyOf(r, "")
	if e != nil {
		return e
	}
	session, e := s.ownSession(r, who, r.URL.Query().Get("session"))
	if e != nil && (key == "" || e.Code != wire.CodeSessionGone && e.Code != wire.CodeNotFound) {
		return e
	}
	// What is gone may have been stopped under this key.
	result, failed := s.do(r.Context(), &presence.Stop{
		Session: session, Reason: presence.Stopped, By: who.Subject, Key: key,
	})
	if failed != nil {
		if e != nil && failed.Code == wire.CodeSessionGone {
			return e
		}
		return failed
	}
	writeMessage(w, http.StatusOK, &wire.Stopped{Summary: *summaryOf(result.Ended)})
	return nil
}

// ownSession finds the session that a call is about: the one that it names, of
// the live code in its path. A back end need not name it. An error about a
// session that was the caller's comes with that session.
func (s *server) ownSession(r *http.Request, who auth.Identity, text string) (session presence.Session, e *wire.Error) {
	code := r.PathValue("code")
	if text == "" {
		if who.Role != auth.Backend {
			return session, refuse(wire.CodeBadRequest, "session is required: it is in the answer to the start")
		}
		st := s.hub.StreamByCode(code)
		if st == nil {
			return session, notLive()
		}
		return st.Session, nil
	}
	named, err := presence.ParseSession(text)
	if err != nil {
		return session, refuse(wire.CodeBadRequest, "session is not a session id")
	}
	st, ended := s.find(named)
	if st == nil { // that it is gone only the log can say: this node may be behind
		if e := s.sync(r.Context()); e != nil {
			return session, e
		}
		st, ended = s.find(named)
	}
	switch {
	case st == nil:
		return session, refusal(&presence.Result{Refusal: presence.SessionGone})
	case st.Code != code:
		return session, refuse(wire.CodeNotFound, "the session is not of this live code")
	case who.Role == auth.Anchor && st.Anchor != who.Subject:
		return session, refusal(&presence.Result{Refusal: presence.NotOwner})
	case ended != nil:
		s.regret(ended)
		return named, refusal(&presence.Result{Refusal: presence.SessionGone, Ended: ended})
	}
	return named, nil
}

// find looks a session up, be it live or over.
func (s *server) find(session presence.Session) (st *presence.Stream, ended *presence.Ended) {
	s.node.Read(func(reg *presence.Registry) {
		if st = reg.StreamBySession(session); st == nil {
			if ended = reg.EndedSession(session); ended != nil {
				st = ended.Stream
			}
		}
	})
	return st, ended
}

// notLive is the answer about a live code that nobody has.
func notLive() *wire.Error { return refuse(wire.CodeNotFound, "no live stream has this code") }
