package redismodel

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// request is a request of a client, with its faults.
type request struct {
	link              *Link
	server            *Redis
	cmds              [][]any
	deadline          time.Time // the client's timeout
	linkConnections   *connections
	serverConnections *connections
	requestFaults
}

// requestFaults are what the network does to one request.
type requestFaults struct {
	requestDelay, replyDelay time.Duration
	replyLost                bool
	late                     bool          // it arrives after the client's timeout
	duplicated               bool          // it arrives a second time
	lateness                 time.Duration // of the late or second arrival
}

// maxLateness bounds how late a request arrives.
const maxLateness = 5 * time.Second

// roundTrip sends commands as one request, and waits for the replies as long as a
// client does.
func (l *Link) roundTrip(ctx context.Context, cmds [][]any) ([]reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := &request{link: l, cmds: cmds, deadline: time.Now().Add(replyTimeout)}
	isXREAD := strings.EqualFold(argText(cmds[0][0]), "xread")
	if deadline, ok := ctx.Deadline(); ok && (isXREAD || deadline.Before(q.deadline)) {
		q.deadline = deadline
	}
	if err := q.drawFaultsAndConnect(isXREAD); err != nil {
		return nil, err
	}
	executeAgain := func() { q.server.execute(q.serverConnections, cmds, nil) }
	if q.late {
		time.AfterFunc(time.Until(q.deadline)+q.lateness, executeAgain)
		return nil, q.waitForTimeout()
	}
	if err := q.delay(q.requestDelay); err != nil {
		return nil, err
	}
	replies, err := q.execute(isXREAD)
	if err != nil {
		return nil, err
	}
	if q.duplicated && replies[0].err == nil && replies[0].value != int64(-1) { // a refused request does not arrive again
		time.AfterFunc(q.lateness, executeAgain)
	}
	if q.replyLost {
		return nil, q.waitForTimeout()
	}
	return replies, q.delay(q.replyDelay)
}

// drawFaultsAndConnect draws the request's faults. It returns an error when the server is
// unreachable.
func (q *request) drawFaultsAndConnect(isXREAD bool) error {
	l := q.link
	l.mu.Lock()
	r := l.server
	killed, partitioned, connected := l.nodeKilled, l.partitioned, l.connected
	l.connected = !partitioned && !killed
	q.server, q.linkConnections, q.requestFaults = r, l.connections, l.drawFaults(q.cmds, isXREAD)
	l.mu.Unlock()
	r.mu.Lock()
	down := r.state.down
	q.serverConnections = r.connections
	r.mu.Unlock()
	switch {
	case killed:
		return net.ErrClosed
	case partitioned && connected:
		return q.waitForTimeout()
	case partitioned:
		_ = q.delay(dialTimeout)
		return errNoRoute
	case down:
		if err := q.delay(q.requestDelay); err != nil {
			return err
		}
		return errRefused
	}
	return nil
}

// drawFaults draws the faults of a request at random. The caller holds mu.
func (l *Link) drawFaults(cmds [][]any, isXREAD bool) (drawn requestFaults) {
	command := strings.ToLower(argText(cmds[0][0]))
	rng := l.commandRNG(command)
	upTo := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d) + 1)) }
	drawn.requestDelay, drawn.replyDelay = 20*time.Microsecond+upTo(l.faults.MaxDelay), 20*time.Microsecond+upTo(l.faults.MaxDelay)
	chance, kind, lateness := rng.Float64(), rng.Float64(), upTo(maxLateness)
	switch {
	case !isWrite[command]:
		drawn.replyLost = chance < l.faults.LostReadReplies || isXREAD && l.faults.DropTailReplies
		if isXREAD && l.faults.MaxTailDelay > 0 {
			drawn.replyDelay += upTo(l.faults.MaxTailDelay)
		}
	case chance < l.faults.LostWriteReplies:
		drawn.replyLost = true
	case chance < l.faults.LostWriteReplies+l.faults.LateWrites:
		drawn.lateness = lateness
		drawn.late, drawn.duplicated = kind < 0.5, kind >= 0.5
	}
	return drawn
}

// delay waits. It returns an error when the connection breaks or the client's
// timeout passes before.
func (q *request) delay(d time.Duration) error { return q.wait(nil, time.Now().Add(d)) }

func (q *request) waitForTimeout() error { return q.wait(nil, q.deadline) }

// wait waits for a channel, and no longer than until a time. It returns errors as
// delay does.
func (q *request) wait(done <-chan struct{}, until time.Time) error {
	inTime := until.Before(q.deadline)
	if !inTime {
		until = q.deadline
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		if inTime {
			return nil
		}
		return errTimeout
	case <-q.linkConnections.broken:
		if q.link.isNodeKilled() {
			return net.ErrClosed
		}
		time.Sleep(time.Until(q.deadline)) // a partition drops the packets without an error
		return errTimeout
	case <-q.serverConnections.broken:
		return errReset
	}
}

// execute waits until the server has executed the request.
func (q *request) execute(isXREAD bool) ([]reply, error) {
	if isXREAD {
		return q.executeXREAD()
	}
	done := make(chan struct{})
	var replies []reply
	q.server.execute(q.serverConnections, q.cmds, func(r []reply) {
		replies = r
		close(done)
	})
	if err := q.wait(done, q.deadline); err != nil {
		return nil, err
	}
	return replies, nil
}

// executeXREAD executes XREAD COUNT n BLOCK ms STREAMS key id.
func (q *request) executeXREAD() ([]reply, error) {
	args := argTexts(q.cmds[0])
	if len(args) != 8 {
		panic("redismodel: XREAD needs COUNT, BLOCK and one stream")
	}
	r, count, after := q.server, int(parseInt(args[2])), parseEntryID(args[7])
	blockUntil := time.Now().Add(time.Duration(parseInt(args[4])) * time.Millisecond)
	for {
		var found []redis.XMessage
		r.mu.Lock()
		paused, changed := r.state.paused, r.changed
		if !paused {
			found = clientMessages(r.keys.stream(args[6]).entriesAfter(after, count))
		}
		r.mu.Unlock()
		if len(found) > 0 || !paused && !time.Now().Before(blockUntil) {
			return []reply{{value: found}}, nil
		}
		waitUntil := blockUntil
		if paused {
			waitUntil = q.deadline
		}
		if err := q.wait(changed, waitUntil); err != nil {
			return nil, err
		}
	}
}
