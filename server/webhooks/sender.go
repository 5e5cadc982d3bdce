package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence"
	"onair/server/outgoing"
)

const (
	// attemptTimeout bounds an attempt with its whole response. A receiver that hangs
	// delays its live code and occupies one concurrent attempt for so long. A shorter
	// timeout would send events twice to slow receivers.
	attemptTimeout = 10 * time.Second

	// maxBodyRead is the part of a response that is read and discarded, so that the
	// connection can be reused.
	maxBodyRead = 4 << 10

	// maxConcurrentAttempts bounds the attempts in progress.
	maxConcurrentAttempts = 16
)

// Options configure a Sender.
type Options struct {
	// Endpoint returns the endpoint. Each attempt calls it, concurrently, so that a reload
	// applies to the next one.
	Endpoint func() *Endpoint

	// Retry is the time after an event in which it is retried. A longer time
	// survives longer outages of the back end, and needs more room in the outbox.
	Retry time.Duration

	Transport http.RoundTripper // nil: a new one
	Logger    zerolog.Logger
	Metrics   prometheus.Registerer // nil: none
}

// Sender sends events to the app's back end. It exists once per process and is safe for
// concurrent use.
type Sender struct {
	// Static after construction.
	Options
	client  *http.Client
	metrics *metrics

	activeDispatcher atomic.Pointer[Dispatcher] // nil: this node is not the leader
}

// NewSender returns a sender. Its dispatchers send events, see [Sender.NewDispatcher].
func NewSender(o Options) *Sender {
	if o.Transport == nil {
		o.Transport = outgoing.NewTransport()
	}
	s := &Sender{Options: o, client: &http.Client{
		Transport: o.Transport,
		// A signed request must reach only the host that it was made for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.metrics = newMetrics(o.Metrics, s)
	return s
}

// attemptResult is the result of one attempt.
type attemptResult struct {
	delivered bool
	rejected  bool          // the back end rejects the event permanently
	pause     time.Duration // requested by the back end; 0: none
	reason    string        // of a failure
}

// attemptDelivery sends an event once.
func (s *Sender) attemptDelivery(ctx context.Context, e *presence.OutboxEvent) attemptResult {
	t := s.Endpoint()
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	startedAt := time.Now()
	resp, err := s.client.Do(newSignedRequest(ctx, t, e, startedAt))
	s.metrics.attemptDuration.Observe(time.Since(startedAt).Seconds())
	if err != nil {
		return attemptResult{reason: redactedReason(t, err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxBodyRead)
	return resultOfResponse(resp, time.Now())
}

func newSignedRequest(ctx context.Context, endpoint *Endpoint, e *presence.OutboxEvent, now time.Time) *http.Request {
	body := encodeCloudEvent(e)
	r := (&http.Request{
		Method: http.MethodPost, URL: endpoint.url(), Host: endpoint.url().Host, Header: http.Header{},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		// needed to retry on a new connection when the old one was closed
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "onair")
	id := e.ID.String()
	r.Header.Set(headerID, id)
	r.Header.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(headerSignature, signatureHeader(endpoint.keys(), id, now, body))
	return r
}

// resultOfResponse returns the result of an attempt with a response.
func resultOfResponse(resp *http.Response, now time.Time) attemptResult {
	o := attemptResult{reason: fmt.Sprintf("HTTP status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
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

// redactedReason returns the reason of an attempt without a response, without the URL.
func redactedReason(t *Endpoint, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no response within %v", attemptTimeout)
	}
	const maxLength = 200 // bytes: some errors contain data from the other side
	text := t.redact(outgoing.WithoutURL(err).Error())
	return "no response: " + strings.ToValidUTF8(text[:min(len(text), maxLength)], "")
}
