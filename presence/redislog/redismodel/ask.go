package redismodel

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// request is one on its way.
type request struct {
	link     *Link
	cmds     [][]any
	deadline time.Time
	mine     *life // of the link's connections
	its      *life // of the server's
	fate     fate
}

// fate is what the network does to a request.
type fate struct {
	there, back time.Duration
	lost        bool          // its reply
	late        bool          // it comes only after its client has given up
	again       time.Duration // when it comes again, or late
	echo        bool          // it comes again
}

// lateness is how late a request may come, at the most.
const lateness = 5 * time.Second

// ask sends commands as one request, and waits for the answers as long as a
// client does.
func (l *Link) ask(ctx context.Context, cmds [][]any) ([]answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := &request{link: l, cmds: cmds, deadline: time.Now().Add(replyWithin)}
	read := strings.EqualFold(text(cmds[0][0]), "xread")
	if at, ok := ctx.Deadline(); ok && (read || at.Before(q.deadline)) {
		q.deadline = at
	}
	if err := q.connect(read); err != nil {
		return nil, err
	}
	if q.fate.late {
		time.AfterFunc(time.Until(q.deadline)+q.fate.again, func() { l.redis.do(q.its, cmds, nil) })
		return nil, q.starve()
	}
	if err := q.pass(q.fate.there); err != nil {
		return nil, err
	}
	answers, err := q.answered(read)
	if err != nil {
		return nil, err
	}
	if q.fate.echo && answers[0].err == nil && answers[0].value != int64(-1) { // what was refused does not come again
		time.AfterFunc(q.fate.again, func() { l.redis.do(q.its, cmds, nil) })
	}
	if q.fate.lost {
		return nil, q.starve()
	}
	return answers, q.pass(q.fate.back)
}

// connect finds out whether there is a way to the server, and draws what the
// network does.
func (q *request) connect(read bool) error {
	l, r := q.link, q.link.redis
	l.mu.Lock()
	dead, cut, connected := l.dead, l.cut, l.connected
	l.connected = !cut && !dead
	q.mine, q.fate = l.life, l.draw(q.cmds, read)
	l.mu.Unlock()
	r.mu.Lock()
	down := r.down
	q.its = r.life
	r.mu.Unlock()
	switch {
	case dead:
		return net.ErrClosed
	case cut && connected:
		return q.starve()
	case cut:
		_ = q.pass(dialWithin)
		return errNoRoute
	case down:
		if err := q.pass(q.fate.there); err != nil {
			return err
		}
		return errRefused
	}
	return nil
}

// draw draws by lot. The caller holds mu.
func (l *Link) draw(cmds [][]any, read bool) fate {
	w, f, command := l.weather, fate{}, strings.ToLower(text(cmds[0][0]))
	lot := l.lot(command)
	span := func(d time.Duration) time.Duration { return time.Duration(lot.Int64N(int64(d) + 1)) }
	f.there, f.back = 20*time.Microsecond+span(w.Delay), 20*time.Microsecond+span(w.Delay)
	chance, kind, again := lot.Float64(), lot.Float64(), span(lateness)
	switch {
	case !writes[command]:
		f.lost = chance < w.LostReads || read && w.Deaf
		if read && w.Tail > 0 {
			f.back += span(w.Tail)
		}
	case chance < w.Lost:
		f.lost = true
	case chance < w.Lost+w.Late:
		f.again = again
		f.late, f.echo = kind < 0.5, kind >= 0.5
	}
	return f
}

// pass lets time go by, unless the connection breaks, or the client's patience
// ends.
func (q *request) pass(d time.Duration) error { return q.wait(nil, time.Now().Add(d)) }

// starve waits for what does not come.
func (q *request) starve() error { return q.wait(nil, q.deadline) }

// wait waits for a channel, or until a moment.
func (q *request) wait(signal <-chan struct{}, until time.Time) error {
	patient := until.Before(q.deadline)
	if !patient {
		until = q.deadline
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-signal:
		return nil
	case <-timer.C:
		if patient {
			return nil
		}
		return errTimeout
	case <-q.mine.over:
		if q.link.isDead() {
			return net.ErrClosed
		}
		return q.starved()
	case <-q.its.over:
		return errReset
	}
}

// starved is the rest of a request whose packets get through no more.
func (q *request) starved() error {
	time.Sleep(time.Until(q.deadline))
	return errTimeout
}

func (l *Link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// answered has the server execute the request.
func (q *request) answered(read bool) ([]answer, error) {
	if read {
		return q.read()
	}
	done := make(chan struct{})
	var answers []answer
	q.link.redis.do(q.its, q.cmds, func(a []answer) {
		answers = a
		close(done)
	})
	if err := q.wait(done, q.deadline); err != nil {
		return nil, err
	}
	return answers, nil
}

// read is XREAD COUNT n BLOCK ms STREAMS key id.
func (q *request) read() ([]answer, error) {
	args := texts(q.cmds[0])
	if len(args) != 8 {
		panic("redismodel: only XREAD COUNT … BLOCK … STREAMS of one is known")
	}
	r, most, from := q.link.redis, int(parse(args[2])), parseID(args[7])
	until := time.Now().Add(time.Duration(parse(args[4])) * time.Millisecond)
	for {
		var found []redis.XMessage
		r.mu.Lock()
		stopped, news := r.stopped, r.news
		if !stopped {
			found = r.xread(args[6], from, most)
		}
		r.mu.Unlock()
		if len(found) > 0 || !stopped && !time.Now().Before(until) {
			return []answer{{value: found}}, nil
		}
		end := until
		if stopped {
			end = q.deadline
		}
		if err := q.wait(news, end); err != nil {
			return nil, err
		}
	}
}
