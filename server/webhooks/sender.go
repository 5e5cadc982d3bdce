package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

const (
	// attemptTimeout is how long one try may take, with all of its answer. For so long a
	// receiver that hangs holds back its live code and one of the tries at once;
	// less of it takes slow receivers for broken ones, and sends twice.
	attemptTimeout = 10 * time.Second

	// maxBodyRead is how much of an answer is read, so that the connection can be
	// used again. What it says is of no interest.
	maxBodyRead = 4 << 10

	// maxResponseHeaderBytes bounds the headers of an answer.
	maxResponseHeaderBytes = 64 << 10

	// maxConcurrentAttempts bounds the tries under way.
	maxConcurrentAttempts = 16

	// defaultRetryPeriod is for how long an event is tried.
	defaultRetryPeriod = 24 * time.Hour
)

// Options are what New needs.
type Options struct {
	// Target gives who is told. It is asked at each try, concurrently, so that what
	// is reloaded holds from the next one on.
	Target func() *Target

	// Retry is for how long after its time an event is tried (0: 24 h). Longer
	// outlives longer failures of the back end, and fills the outbox more.
	Retry time.Duration

	Transport http.RoundTripper // nil: one of its own
	Logger    zerolog.Logger
	Metrics   prometheus.Registerer // nil: none
}

// Sender sends events to the app's back end. It lives as long as the process,
// and may be used concurrently.
type Sender struct {
	// Static after construction.
	target  func() *Target
	retry   time.Duration
	client  *http.Client
	log     zerolog.Logger
	metrics *metrics

	activePump atomic.Pointer[Pump] // nil: this node is not the keeper
}

// NewSender returns a sender. It sends nothing by itself, see [Sender.NewPump].
func NewSender(o Options) *Sender {
	transport := o.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = maxConcurrentAttempts
		own.MaxResponseHeaderBytes = maxResponseHeaderBytes
		transport = own
	}
	if o.Retry == 0 {
		o.Retry = defaultRetryPeriod
	}
	s := &Sender{
		target: o.Target, retry: o.Retry, log: o.Logger,
		client: &http.Client{
			Transport: transport,
			// A signed request is for who it was made for.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.metrics = newMetrics(o.Metrics, s)
	return s
}

// attemptResult is what became of one try.
type attemptResult struct {
	delivered bool
	rejected  bool          // the back end does not want it, ever
	pause     time.Duration // the back end wants to be left alone for so long
	reason    string        // it was not delivered
}

// attemptDelivery makes one try.
func (s *Sender) attemptDelivery(ctx context.Context, e *Event) attemptResult {
	t := s.target()
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	began := time.Now()
	resp, err := s.client.Do(newRequest(ctx, t, e, began))
	s.metrics.attemptDuration.Observe(time.Since(began).Seconds())
	if err != nil {
		return attemptResult{reason: reasonOfError(t, err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxBodyRead)
	return resultOfResponse(resp, time.Now())
}

func newRequest(ctx context.Context, t *Target, e *Event, at time.Time) *http.Request {
	body := e.encode(t.source)
	r := (&http.Request{
		Method: http.MethodPost, URL: t.url(), Host: t.url().Host, Header: http.Header{},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		// for a connection that turns out to be closed before anything was sent
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "onair")
	r.Header.Set(headerID, e.ID)
	r.Header.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(headerSignature, signatureHeader(t.keys(), e.ID, at, body))
	return r
}

// resultOfResponse says what an answer means.
func resultOfResponse(resp *http.Response, now time.Time) attemptResult {
	o := attemptResult{reason: fmt.Sprintf("the back end answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	switch code := resp.StatusCode; {
	case code >= 200 && code <= 299:
		return attemptResult{delivered: true}
	case code == http.StatusGone:
		o.rejected = true
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		o.pause = parseRetryAfter(resp.Header.Get("Retry-After"), now)
	}
	return o
}

// reasonOfError says why there was no answer, without the URL.
func reasonOfError(t *Target, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", attemptTimeout)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the rest of it is the URL
	}
	const most = 200 // bytes: some hold what the other side has sent
	text := t.redact(err.Error())
	return "no answer: " + strings.ToValidUTF8(text[:min(len(text), most)], "")
}
