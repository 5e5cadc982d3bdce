package socket

import (
	"errors"
	"os"
	"time"
)

// stallSlices is into how many parts StallTimeout is cut. A write that timed out
// says how many bytes went, not when: so that is known to a thirtieth.
const stallSlices = 30

// tlsRecord is how much is written at once where a write cannot be resumed:
// there, progress is only seen in whole writes.
const tlsRecord = 16 << 10

// patience is how long a write may take.
type patience struct {
	stall time.Duration // without a byte
	total time.Duration
}

// patienceOf is the patience to wait d, whether or not bytes go.
func patienceOf(d time.Duration) patience { return patience{stall: d, total: d} }

// push writes what rest holds. It fails with ErrSlowPeer when that took longer
// than p allows; rest is then what has not gone.
func (o *outbound) push(d *drainer, p patience) error {
	if len(d.rest) == 0 {
		return nil
	}
	began := time.Now()
	moved, now := began, began
	for {
		if err := o.conn.SetWriteDeadline(o.next(p, began, moved, now)); err != nil {
			return o.failed(err)
		}
		n, err := o.write(d)
		if len(d.rest) == 0 {
			return nil
		}
		now = time.Now()
		if n > 0 {
			moved = now
		}
		switch {
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return o.failed(err)
		case err != nil && o.whole, now.Sub(moved) >= p.stall, now.Sub(began) >= p.total:
			return ErrSlowPeer
		}
	}
}

// next is until when the next write may block: to the first of the two limits,
// and no longer than a slice where one is needed and a write can be resumed.
func (o *outbound) next(p patience, began, moved, now time.Time) time.Time {
	limit := moved.Add(p.stall)
	if end := began.Add(p.total); end.Before(limit) {
		limit = end
	}
	if p.stall >= p.total || o.whole {
		return limit
	}
	if slice := now.Add(p.stall / stallSlices); slice.Before(limit) {
		limit = slice
	}
	return limit
}

// write writes once, and takes what has gone from rest.
func (o *outbound) write(d *drainer) (int, error) {
	var n int
	var err error
	switch {
	case o.whole:
		n, err = o.conn.Write(d.rest[0][:min(len(d.rest[0]), tlsRecord)])
		d.consume(n)
	case len(d.rest) == 1:
		n, err = o.conn.Write(d.rest[0])
		d.consume(n)
	default:
		var n64 int64
		n64, err = d.rest.WriteTo(o.conn)
		n = int(n64)
	}
	d.begun = d.begun || n > 0
	o.mu.Lock()
	o.stats.Bytes += int64(n)
	o.mu.Unlock()
	return n, err
}

// consume takes n bytes, which are of the first piece, from rest.
func (d *drainer) consume(n int) {
	if d.rest[0] = d.rest[0][n:]; len(d.rest[0]) == 0 {
		d.rest[0] = nil
		d.rest = d.rest[1:]
	}
}

// failed is the error of a connection that does not take writes any more:
// ErrClosed if that is our own doing.
func (o *outbound) failed(err error) error {
	select {
	case <-o.wire.done:
		return ErrClosed
	default:
		return err
	}
}
