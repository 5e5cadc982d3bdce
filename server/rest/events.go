package rest

import (
	"cmp"
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

// addressBackoff is the retry time of a client whose address has too many connections.
const addressBackoff = 10 * time.Second

// eventsRequest is a request for events: one query, and live codes to watch.
type eventsRequest struct {
	query        *wire.Subscribe
	viewID       string // the id of the query's view
	watchedCodes []string
}

// streamEvents answers GET /v1/streams/events with the messages that a viewer socket gets for
// one query and for the watched streams.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, who auth.Identity) error {
	request, err := a.parseEventsRequest(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	var rejection admission.Rejection
	if a.Hub.IsOverloaded() {
		rejection = admission.RejectionOverloaded
	}
	reservation, err := a.Admission.Reserve(rejection)
	if err != nil {
		return err
	}
	defer reservation.Release()
	ev := newEventWriter(w, r, request.viewID)
	out := a.Hub.Attach(ev)
	defer out.Close()
	defer ev.rejectWrites()
	conn := &admission.Conn{Socket: out, Kind: admission.KindEvents, Address: a.clientAddress(r)}
	if !a.Admission.Admit(reservation, conn, cmp.Or(string(who.Role), admission.RoleAnonymous)) {
		return &wire.Error{
			Code: wire.CodeRateLimited, Message: "too many connections from this address", RetryAfterMS: addressBackoff.Milliseconds(),
		}
	}
	defer a.Admission.Remove(conn)
	if err := a.subscribeAndWatch(out, request); err != nil {
		return err // nothing was written yet
	}
	ev.writeEventsUntilClosed(r.Context(), conn, who.ExpiresAt)
	a.Admission.CountClose(admission.KindEvents, conn.CloseCode())
	return nil
}

// parseEventsRequest reads and checks a request for events.
func (a *API) parseEventsRequest(r *http.Request) (*eventsRequest, error) {
	if r.ContentLength != 0 {
		// The HTTP server notices that a client has gone only after it has read the body.
		return nil, &wire.Error{Code: wire.CodeBadRequest, Message: "this call must have no body"}
	}
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	// Replacements of EventSource cannot set headers, and name the query as they like.
	query := r.URL.Query()
	q.Pos = cmp.Or(r.Header.Get("Last-Event-ID"), query.Get("pos"), query.Get("lastEventId"), query.Get("Last-Event-ID"))
	if err := q.Validate(); err != nil {
		return nil, err
	}
	viewID, err := a.Hub.ViewID(q)
	if err != nil {
		return nil, err
	}
	watchedCodes := splitListOrNil(r.URL.Query()["watch"])
	if err := a.checkOrigin(r); err != nil && len(watchedCodes) > 0 {
		return nil, err
	}
	if len(watchedCodes) > a.Runtime.Current().Limits.WatchesPerSocket {
		return nil, &wire.Error{Code: wire.CodeLimitExceeded, Message: "watch names more streams than one socket may watch"}
	}
	for _, code := range watchedCodes {
		if a.Hub.StreamByCode(code) == nil {
			return nil, broadcast.NewNotLiveError()
		}
	}
	return &eventsRequest{q, viewID, watchedCodes}, nil
}

// subscribeAndWatch subscribes a socket to the query of a request, and watches its streams.
func (a *API) subscribeAndWatch(out *hub.Socket, request *eventsRequest) error {
	if err := a.Hub.Subscribe(out, request.query); err != nil {
		return err
	}
	for _, code := range request.watchedCodes {
		if err := a.Hub.Watch(out, &wire.Watch{Code: code, Play: request.query.Play}); err != nil {
			return err
		}
	}
	return nil
}

// newEventWriter prepares a response of events. It sends nothing before the first event.
func newEventWriter(w http.ResponseWriter, r *http.Request, viewID string) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // disables buffering in nginx
	ev := &eventWriter{
		w: w, rc: http.NewResponseController(w), viewID: viewID,
		nextEvent: make(chan []byte, 1), lastEvent: make(chan []byte, 1), abandoned: make(chan struct{}), finished: make(chan struct{}),
	}
	ev.rc.SetReadDeadline(time.Time{}) // the server's read timeout would end the response
	if conn, ok := r.Context().Value(ConnContextKey{}).(net.Conn); ok {
		socket.SetSendBuffer(conn, eventSendBuffer) // a failure costs only memory
		if r.ProtoMajor == 1 {
			ev.netConn = conn
		}
	}
	return ev
}

// writeEventsUntilClosed writes events until the connection is closed, the client has gone, or the token
// has expired.
func (ev *eventWriter) writeEventsUntilClosed(ctx context.Context, conn *admission.Conn, tokenExpires time.Time) {
	expired := make(<-chan time.Time)
	if !tokenExpires.IsZero() {
		timer := time.NewTimer(time.Until(tokenExpires))
		defer timer.Stop()
		expired = timer.C
	}
	deadPeerCheck := time.NewTicker(deadPeerCheckInterval)
	defer deadPeerCheck.Stop()
	for {
		select {
		case <-deadPeerCheck.C:
			ev.closeIfPeerIsDead()
			continue
		case text := <-ev.nextEvent:
			err := ev.writeEvent(text)
			if ev.onWritten(err); err == nil {
				continue
			}
			if ev.netConn != nil {
				socket.ResetOnClose(ev.netConn)
			}
		case text := <-ev.lastEvent:
			ev.writeEvent(text) // the connection ends anyway
		case <-expired:
			conn.Close(wire.CloseUnauthorized, "the token has expired")
			continue
		case <-ev.abandoned:
		case <-ctx.Done():
			conn.SetFirstCloseCode(websocket.StatusGoingAway)
		}
		return
	}
}

// closeIfPeerIsDead closes the connection to a client that has vanished, which ends the context
// of the request.
func (ev *eventWriter) closeIfPeerIsDead() {
	if ev.netConn != nil && socket.IsPeerDead(ev.netConn) {
		socket.ResetOnClose(ev.netConn)
		ev.netConn.Close()
	}
}

// ConnContextKey is the key of the net.Conn in the context of a request.
type ConnContextKey struct{}
