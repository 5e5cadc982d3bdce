// Package poll finds out, once an interval, which live sessions are pushed: it asks
// the cloud, and passes on what that says. What it means is for the list to say.
//
//   - That a stream is online is believed of every answer.
//   - That it is not is believed of the stream's own query, or where there is none of
//     a list that was read to its end.
//   - No answer is no word. Only when others are answered in the same round is it
//     told that a stream's was not.
//
// So a cloud that is away says nothing, of anybody.
package poll

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/server/cloud"
)

// Cloud is who is asked. It keeps to a rate of its own.
type Cloud struct {
	// Online names every stream that is pushed; after an error it has named some.
	// nil: there is no list.
	Online func(ctx context.Context, each func(code string)) error
	// IsOnline asks for one stream. nil: the list says all there is to say.
	IsOnline func(ctx context.Context, code string) (bool, error)
}

// Options are what New needs.
type Options struct {
	Cloud    Cloud
	Interval time.Duration
	// Targets are the sessions to ask for.
	Targets func() []presence.Polled
	// Tell is told what was found out: Online, Offline or Unknown. It is called by
	// one goroutine at a time.
	Tell    func(presence.Session, presence.Sign)
	Logger  zerolog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Poller asks, as long as it runs.
type Poller struct {
	// Static after construction.
	o       Options
	metrics *metrics

	telling sync.Mutex
}

type metrics struct {
	queries *prometheus.CounterVec
	words   *prometheus.CounterVec
	took    prometheus.Gauge
	last    prometheus.Gauge
}

// New returns a poller. It asks nobody before Run.
func New(o Options) *Poller {
	f := promauto.With(o.Metrics)
	p := &Poller{o: o, metrics: &metrics{
		queries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_poll_queries_total", Help: "Lists of streams and single streams that the cloud was asked for, by result.",
		}, []string{"kind", "result"}),
		words: f.NewCounterVec(prometheus.CounterOpts{
			Name: "onair_poll_words_total", Help: "What was found out about sessions, each once a round.",
		}, []string{"word"}),
		took: f.NewGauge(prometheus.GaugeOpts{Name: "onair_poll_round_seconds", Help: "How long the last round took; one as long as poll.interval says that poll.rate is too low."}),
		last: f.NewGauge(prometheus.GaugeOpts{Name: "onair_poll_last_timestamp_seconds", Help: "When the cloud last answered on this node; 0: never."}),
	}}
	for _, sign := range []presence.Sign{presence.Online, presence.Offline, presence.Unknown} {
		p.metrics.words.WithLabelValues(sign.String())
	}
	return p
}

// Run asks, once an interval, until ctx ends.
func (p *Poller) Run(ctx context.Context) {
	tick := time.NewTicker(p.o.Interval)
	defer tick.Stop()
	for {
		began := time.Now()
		p.round(ctx)
		p.metrics.took.Set(time.Since(began).Seconds())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Ask finds out about one stream, now.
func (p *Poller) Ask(ctx context.Context, code string) (online bool, err error) {
	if p.o.Cloud.IsOnline != nil {
		online, err = p.o.Cloud.IsOnline(ctx, code)
		p.asked("one", err)
		return online, err
	}
	err = p.o.Cloud.Online(ctx, func(c string) { online = online || c == code })
	p.asked("list", err)
	return online, err
}

// asked counts a query.
func (p *Poller) asked(kind string, err error) {
	result := "answered"
	switch {
	case errors.Is(err, cloud.ErrBusy):
		result = "busy"
	case err != nil:
		result = "failed"
	default:
		p.metrics.last.SetToCurrentTime()
	}
	p.metrics.queries.WithLabelValues(kind, result).Inc()
}

// round asks once for every session.
func (p *Poller) round(ctx context.Context) {
	began, targets := time.Now(), p.o.Targets()
	if len(targets) == 0 {
		return
	}
	online, whole := map[string]bool{}, false
	if p.o.Cloud.Online != nil {
		err := p.o.Cloud.Online(ctx, func(code string) { online[code] = true })
		if ctx.Err() != nil {
			return
		}
		p.asked("list", err)
		if whole = err == nil; !whole {
			p.o.Logger.Warn().Err(err).Msg("the list of what is pushed could not be read")
		}
	}
	var missing []presence.Polled
	for _, t := range targets {
		switch {
		case online[t.Code]:
			p.tell(t.Session, presence.Online)
		case p.o.Cloud.IsOnline != nil:
			if t.Matters {
				missing = append(missing, t)
			}
		case whole:
			p.tell(t.Session, presence.Offline)
		}
	}
	p.singly(ctx, missing, whole, p.o.Interval*9/10-time.Since(began))
}

// atOnce bounds the queries under way; busyRest is for how long nothing more is
// asked when the cloud says that it was too much.
const (
	atOnce   = 16
	busyRest = 2 * time.Second
)

// singly asks for those that the list does not have, spread over what is left of
// the interval; answered is whether anybody was in this round.
func (p *Poller) singly(ctx context.Context, targets []presence.Polled, answered bool, left time.Duration) {
	if len(targets) == 0 {
		return
	}
	pace := time.NewTicker(max(time.Microsecond, left/time.Duration(len(targets))))
	defer pace.Stop()
	var (
		wg     sync.WaitGroup
		room   = make(chan struct{}, atOnce)
		mu     sync.Mutex // guards all below
		failed []presence.Session
		rest   time.Time
	)
	for _, t := range targets {
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
		mu.Lock()
		wait := time.Until(rest)
		mu.Unlock()
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		select {
		case <-ctx.Done():
		case room <- struct{}{}:
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-room }()
			is, err := p.o.Cloud.IsOnline(ctx, t.Code)
			if ctx.Err() != nil {
				return
			}
			p.asked("one", err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, cloud.ErrBusy):
				rest = time.Now().Add(busyRest) // that says nothing of the stream
			case err != nil:
				failed = append(failed, t.Session)
			default:
				answered = true
				sign := presence.Offline
				if is {
					sign = presence.Online
				}
				p.tell(t.Session, sign)
			}
		})
	}
	wg.Wait()
	if !answered || ctx.Err() != nil {
		return // the cloud is away, and not a stream
	}
	for _, s := range failed {
		p.tell(s, presence.Unknown)
	}
}

func (p *Poller) tell(s presence.Session, sign presence.Sign) {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.metrics.words.WithLabelValues(sign.String()).Inc()
	p.o.Tell(s, sign)
}
