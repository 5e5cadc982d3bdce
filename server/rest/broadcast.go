package rest

import (
	"net/http"
	"time"

	"onair/hub"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/response"
)

// The calls of apps that hold no socket: start, beat, update and stop. Together
// they are a whole broadcast.

// startStream answers POST /v1/streams.
func (a *API) startStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	m, err := readMessage[*wire.Start](w, r, wire.TypeStart)
	if err != nil {
		return err
	}
	if m.Key, err = idempotencyKey(r, m.Key); err != nil {
		return err
	}
	anchor := who.Subject
	switch {
	case who.Role == auth.Backend && m.Anchor == "":
		return &wire.Error{Code: wire.CodeBadRequest, Message: "a back end must name the anchor"}
	case who.Role == auth.Backend:
		anchor = m.Anchor
	case m.Anchor != "" && m.Anchor != who.Subject:
		return &wire.Error{Code: wire.CodeForbidden, Message: "an anchor starts for nobody else"}
	case m.Suffix != "":
		return &wire.Error{Code: wire.CodeForbidden, Message: "only a back end may choose the suffix of a live code"}
	}
	c, err := a.Broadcasts.NewStart(m, anchor, "")
	if err != nil {
		return err
	}
	result, err := a.Broadcasts.Do(r.Context(), c)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if result.Repeated {
		status = http.StatusOK
	}
	st := result.Stream
	settings := a.Broadcasts.Settings()
	w.Header().Set("Location", "/v1/streams/"+st.Code)
	response.WriteMessage(w, status, &wire.Started{
		Stream: hub.Entry(st), Session: st.Session.String(), Push: a.URLs.PushURLs(st.Code),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed),
	})
	return nil
}

// beatStream answers POST /v1/streams/{code}/beat. Its answer names the present
// interval; a client that says in its beat that it beats by that one is held to
// it from there on.
func (a *API) beatStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	m, err := readMessage[*wire.Beat](w, r, wire.TypeBeat)
	if err != nil {
		return err
	}
	session, err := a.resolveSession(r, who, m.Session)
	if err != nil {
		return err
	}
	settings := a.Broadcasts.Settings()
	var silence int64
	a.Node.Read(func(reg *presence.Registry) { silence = reg.TimeSinceBeat(session) })
	result, isPending, err := a.Broadcasts.RenewLease(r.Context(), session)
	if err != nil {
		return err
	}
	term := settings.Missed*settings.Interval + settings.Grace
	if m.HeartbeatMS == settings.Interval && result.TTL != 0 && result.TTL != term {
		if result, err = a.Broadcasts.Do(r.Context(), &presence.AdoptSettings{Session: session}); err != nil {
			return err
		}
	}
	a.Broadcasts.CountBeat(time.Duration(silence)*time.Millisecond, &settings)
	a.Broadcasts.CountEncoderStats(&m.Stats)
	response.WriteMessage(w, http.StatusOK, &wire.Ack{
		N: m.N, ServerTime: time.Now().UnixMilli(), DeadlineInMS: result.TTL, Pending: isPending, HeartbeatMS: settings.Interval,
	})
	return nil
}

// updateStream answers PATCH /v1/streams/{code}.
func (a *API) updateStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	m, err := readMessage[*wire.Update](w, r, wire.TypeUpdate)
	if err != nil {
		return err
	}
	if m.Session == "" {
		m.Session = r.URL.Query().Get("session")
	}
	session, err := a.resolveSession(r, who, m.Session)
	if err != nil {
		return err
	}
	c := broadcast.NewUpdate(m, session)
	if c.Key, err = idempotencyKey(r, ""); err != nil {
		return err
	}
	result, err := a.Broadcasts.Do(r.Context(), c)
	if err != nil {
		return err
	}
	response.WriteMessage(w, http.StatusOK, &wire.Updated{Stream: hub.Entry(result.Stream)})
	return nil
}

// stopStream answers DELETE /v1/streams/{code}?session=.
func (a *API) stopStream(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	key, err := idempotencyKey(r, "")
	if err != nil {
		return err
	}
	session, err := a.resolveSession(r, who, r.URL.Query().Get("session"))
	if code := broadcast.ErrorCode(err); err != nil && (key == "" || code != wire.CodeSessionGone && code != wire.CodeNotFound) {
		return err
	}
	// What is gone may have been stopped under this key.
	result, failed := a.Broadcasts.Do(r.Context(), &presence.Stop{
		Session: session, Reason: presence.Stopped, By: who.Subject, Key: key,
	})
	if failed != nil {
		if err != nil && broadcast.ErrorCode(failed) == wire.CodeSessionGone {
			return err
		}
		return failed
	}
	response.WriteMessage(w, http.StatusOK, &wire.Stopped{Summary: *broadcast.Summary(result.Ended)})
	return nil
}

// resolveSession finds the session that a call is about: the one that it names, of
// the live code in its path. A back end need not name it. An error about a
// session that was the caller's comes with that session.
func (a *API) resolveSession(r *http.Request, who auth.Identity, text string) (session presence.Session, err error) {
	code := r.PathValue("code")
	if text == "" {
		if who.Role != auth.Backend {
			return session, &wire.Error{Code: wire.CodeBadRequest, Message: "session is required: it is in the answer to the start"}
		}
		st := a.Hub.StreamByCode(code)
		if st == nil {
			return session, broadcast.NotLiveError()
		}
		return st.Session, nil
	}
	named, err := presence.ParseSession(text)
	if err != nil {
		return session, &wire.Error{Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	st, ended := a.findSession(named)
	if st == nil { // that it is gone only the log can say: this node may be behind
		if err := a.Broadcasts.Sync(r.Context()); err != nil {
			return session, err
		}
		st, ended = a.findSession(named)
	}
	switch {
	case st == nil:
		return session, broadcast.RefusalError(&presence.Result{Refusal: presence.SessionGone})
	case st.Code != code:
		return session, &wire.Error{Code: wire.CodeNotFound, Message: "the session is not of this live code"}
	case who.Role == auth.Anchor && st.Anchor != who.Subject:
		return session, broadcast.RefusalError(&presence.Result{Refusal: presence.NotOwner})
	case ended != nil:
		a.Broadcasts.CountFalseExpiry(ended)
		return named, broadcast.RefusalError(&presence.Result{Refusal: presence.SessionGone, Ended: ended})
	}
	return named, nil
}

// findSession finds a session, live or ended.
func (a *API) findSession(session presence.Session) (st *presence.Stream, ended *presence.Ended) {
	a.Node.Read(func(reg *presence.Registry) {
		if st = reg.StreamBySession(session); st == nil {
			if ended = reg.EndedSession(session); ended != nil {
				st = ended.Stream
			}
		}
	})
	return st, ended
}
