package rest

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/admission"
	"onair/server/auth"
	"onair/server/broadcast"
)

// addressBackoff is how long a client waits whose address has too many connections.
const addressBackoff = 10 * time.Second

// eventsRequest is a request for events: one query, and the streams to watch.
type eventsRequest struct {
	query   *wire.Subscribe
	view    string // the id of the query's view
	watched []string
}

// streamEvents answers GET /v1/streams/events with what a viewer socket would get of
// one query, and of the streams that are watched.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	request, err := a.parseEvents(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	rejection := ""
	if a.Hub.IsOverloaded() {
		rejection = admission.RejectionOverloaded
	}
	reservation, err := a.Admission.Reserve(rejection)
	if err != nil {
		return err
	}
	defer reservation.Release()
	ev := newEventWriter(w, r, request.view)
	out := a.Hub.Attach(ev)
	defer out.Close()
	defer ev.end()
	conn := &admission.Conn{Socket: out, Kind: admission.KindEvents, Address: a.clientAddress(r)}
	if !a.Admission.Admit(reservation, conn, roleOf(who)) {
		return &wire.Error{
			Code: wire.CodeRateLimited, Message: "too many connections from this address", RetryAfterMS: addressBackoff.Milliseconds(),
		}
	}
	defer a.Admission.Remove(conn)
	if err := a.subscribe(out, request); err != nil {
		return err // nothing was written yet
	}
	ev.pump(r.Context(), conn, who.ExpiresAt)
	a.Admission.CountClose(admission.KindEvents, websocket.StatusCode(conn.CloseCode()))
	return nil
}

// parseEvents reads and checks a request for events.
func (a *API) parseEvents(r *http.Request) (*eventsRequest, error) {
	if r.ContentLength != 0 {
		// One that never comes would keep the client's end from being noticed.
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "this call takes no body"}
	}
	q, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	if q.Pos = r.Header.Get("Last-Event-ID"); q.Pos == "" {
		q.Pos = r.URL.Query().Get("pos")
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	view, e := a.Hub.ViewID(q)
	if e != nil {
		return nil, e
	}
	watched := split(r.URL.Query()["watch"])
	if err := a.checkOrigin(r); err != nil && len(watched) > 0 {
		return nil, err
	}
	if len(watched) > a.Runtime.Current().Limits.WatchesPerSocket {
		return nil, &wire.Error{Code: wire.CodeLimitExceeded, Message: "watch names more streams than one socket may watch"}
	}
	for _, code := range watched {
		if a.Hub.StreamByCode(code) == nil {
			return nil, broadcast.NotLiveError()
		}
	}
	return &eventsRequest{q, view, watched}, nil
}

func (a *API) subscribe(out *hub.Socket, request *eventsRequest) error {
	if e := a.Hub.Subscribe(out, request.query); e != nil {
		return e
	}
	for _, code := range request.watched {
		if e := a.Hub.Watch(out, &wire.Watch{Code: code, Play: request.query.Play}); e != nil {
			return e
		}
	}
	return nil
}

// roleOf is the role that an identity counts as.
func roleOf(who auth.Identity) string {
	if who.Role == "" {
		return admission.RoleAnonymous
	}
	return string(who.Role)
}

// newEventWriter sends no byte before the first event.
func newEventWriter(w http.ResponseWriter, r *http.Request, view string) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would collect what is to go at once
	ev := &eventWriter{
		w: w, rc: http.NewResponseController(w), view: view,
		next: make(chan []byte, 1), last: make(chan []byte, 1), gone: make(chan struct{}), done: make(chan struct{}),
	}
	ev.rc.SetReadDeadline(time.Time{}) // the request has come whole; what follows has no end
	if conn, ok := r.Context().Value(ConnKey{}).(net.Conn); ok {
		socket.SetSendBuffer(conn, eventBuffer) // if it fails we only use more memory
	}
	return ev
}

// pump writes the events of a connection until it is closed, the client has gone, or
// the token has expired.
func (ev *eventWriter) pump(ctx context.Context, conn *admission.Conn, tokenExpires time.Time) {
	expired := make(<-chan time.Time)
	if !tokenExpires.IsZero() {
		timer := time.NewTimer(time.Until(tokenExpires))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		select {
		case text := <-ev.next:
			err := ev.writeEvent(text)
			if ev.ready(err); err == nil {
				continue
			}
		case text := <-ev.last:
			ev.writeEvent(text) // nobody is left to get an error
		case <-expired:
			conn.Close(wire.CloseUnauthorized, "the token has expired")
			continue
		case <-ev.gone:
		case <-ctx.Done():
			conn.SetCloseCode(int64(websocket.StatusGoingAway))
		}
		return
	}
}

// ConnKey is the key under which the context of a request has its net.Conn.
type ConnKey struct{}
