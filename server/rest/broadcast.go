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

// startStream answers POST /v1/streams.
func (a *API) startStream(w http.ResponseWriter, r *http.Request, identity auth.Identity) error {
	m, err := readMessage[*wire.Start](w, r, wire.TypeStart)
	if err != nil {
		return err
	}
	if m.Key, err = idempotencyKey(r, m.Key); err != nil {
		return err
	}
	anchor := identity.Subject
	switch {
	case identity.Role == auth.Backend && m.Anchor == "":
		return &wire.Error{Code: wire.CodeBadRequest, Message: "anchor is required for back ends"}
	case identity.Role == auth.Backend:
		anchor = m.Anchor
	case m.Anchor != "" && m.Anchor != identity.Subject:
		return &wire.Error{Code: wire.CodeForbidden, Message: "anchor must be the subject of the token"}
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

// beatStream answers POST /v1/streams/{code}/beat with the present interval. When the client
// sends that interval in a beat, its session adopts the present settings.
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
	var sinceBeat int64
	a.Node.Read(func(reg *presence.Registry) { sinceBeat = reg.TimeSinceBeat(session) })
	result, isPending, err := a.Broadcasts.RenewLease(r.Context(), session)
	if err != nil {
		return err
	}
	presentTTL := settings.Missed*settings.Interval + settings.Grace
	if m.HeartbeatMS == settings.Interval && result.TTL != 0 && result.TTL != presentTTL {
		if result, err = a.Broadcasts.Do(r.Context(), &presence.AdoptLeaseParams{Session: session}); err != nil {
			return err
		}
	}
	a.Broadcasts.CountBeat(time.Duration(sinceBeat)*time.Millisecond, &settings)
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
	if code := broadcast.WireErrorCode(err); err != nil && (key == "" || code != wire.CodeSessionGone && code != wire.CodeNotFound) {
		return err
	}
	// A session that is gone may have been stopped under this key.
	result, stopErr := a.Broadcasts.Do(r.Context(), &presence.Stop{
		Session: session, Reason: presence.Stopped, By: who.Subject, Key: key,
	})
	if stopErr != nil {
		if err != nil && broadcast.WireErrorCode(stopErr) == wire.CodeSessionGone {
			return err
		}
		return stopErr
	}
	response.WriteMessage(w, http.StatusOK, &wire.Stopped{Summary: *broadcast.Summary(result.Ended)})
	return nil
}

// resolveSession returns the session with the given id, if it belongs to the caller and to the
// live code in the path. For back ends the id may be empty: the live session of the code. If
// the session has ended, both the session and an error are returned.
func (a *API) resolveSession(r *http.Request, who auth.Identity, sessionIDOrEmpty string) (session presence.Session, err error) {
	code := r.PathValue("code")
	if sessionIDOrEmpty == "" {
		if who.Role != auth.Backend {
			return session, &wire.Error{Code: wire.CodeBadRequest, Message: "session is required: the response to the start has it"}
		}
		st := a.Hub.StreamByCode(code)
		if st == nil {
			return session, broadcast.NewNotLiveError()
		}
		return st.Session, nil
	}
	named, err := presence.ParseSession(sessionIDOrEmpty)
	if err != nil {
		return session, &wire.Error{Code: wire.CodeBadRequest, Message: "session is not a session id"}
	}
	st, ended := a.findSession(named)
	if st == nil || ended != nil && a.Node.HasFrozenViews() { // its start may not be applied yet, or its end may be undone
		if err := a.Broadcasts.Sync(r.Context()); err != nil {
			return session, err
		}
		st, ended = a.findSession(named)
	}
	switch {
	case st == nil:
		return session, broadcast.NewRefusalError(&presence.Result{Refusal: presence.SessionGone})
	case st.Code != code:
		return session, &wire.Error{Code: wire.CodeNotFound, Message: "the session has another live code"}
	case who.Role == auth.Anchor && st.Anchor != who.Subject:
		return session, broadcast.NewRefusalError(&presence.Result{Refusal: presence.NotOwner})
	case ended != nil:
		a.Broadcasts.CountIfFalseExpiry(ended)
		return named, broadcast.NewRefusalError(&presence.Result{Refusal: presence.SessionGone, Ended: ended})
	}
	return named, nil
}

// findSession returns the stream of a session, and its end if it has ended. The stream is nil
// if the session is unknown.
func (a *API) findSession(session presence.Session) (liveOrEndedStream *presence.Stream, ended *presence.Ended) {
	a.Node.Read(func(reg *presence.Registry) {
		if liveOrEndedStream = reg.StreamBySession(session); liveOrEndedStream == nil {
			if ended = reg.EndedSession(session); ended != nil {
				liveOrEndedStream = ended.Stream
			}
		}
	})
	return liveOrEndedStream, ended
}
