package hub

import (
	"time"

	"onair/hub/wire"
	"onair/presence"
)

// Page answers a query once: {"view","pos","total","streams"}, as a snapshot of
// the view would be.
func (h *Hub) Page(m *wire.Subscribe) ([]byte, *wire.Error) {
	q, e := h.options.newQuery(m)
	if e != nil {
		return nil, e
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.viewOf(q, now)
	if v == nil {
		return nil, exceeded(m.ID, "there are %d different views here already", h.options.Views)
	}
	v.quiet = now
	h.reschedule(v)
	body := h.snapshotOf(v).body
	return append(append(make([]byte, 0, 1+len(body)), '{'), body...), nil
}

// AppendEntry appends a stream as viewers see it, with its URLs of the
// protocols in play, which the hub's Signer has; nil is none.
func (h *Hub) AppendEntry(dst []byte, st *presence.Stream, play []string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.encoder.player = player{h.options.Signer, play}
	return wire.AppendEntry(dst, h.encoder.entry(0, st, true, h.ring.last().time))
}
