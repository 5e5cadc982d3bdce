// Package cloud asks clouds and media servers about pushes, and tells them what to
// do with them: a file for each. All of it goes out over HTTP, within one rate, and
// bounded in time and size; no error holds a key or a URL.
//
// Every client is safe for concurrent use.
package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// ErrBusy is returned when a provider says that it was asked too much.
var ErrBusy = errors.New("cloud: the provider was asked more than it answers")

// Bounds of one query.
const (
	within    = 10 * time.Second
	longReply = 16 << 20 // bytes: the statistics of a media server with thousands of streams
)

// Options are what all clients need.
type Options struct {
	// Rate bounds all that is sent. Clients of one account share one.
	Rate *rate.Limiter
	// Transport is nil but in tests.
	Transport http.RoundTripper
}

// line sends requests to one provider.
type line struct {
	rate   *rate.Limiter
	client *http.Client
}

func newLine(o Options) *line {
	return &line{o.Rate, &http.Client{
		Transport: o.Transport, Timeout: within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send waits for its turn, sends, and returns the body of an answer that is 200, or
// one of the statuses that are good too.
func (l *line) send(ctx context.Context, method, link string, header http.Header, body []byte, good ...int) ([]byte, error) {
	if err := l.rate.Wait(ctx); err != nil {
		return nil, fmt.Errorf("cloud: waiting for a turn: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, link, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("cloud: no request can be made of its URL")
	}
	maps.Copy(r.Header, header)
	res, err := l.client.Do(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the rest of it is the URL
		}
		return nil, fmt.Errorf("cloud: no answer: %w", err)
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(res.Body, longReply+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cloud: the answer broke off: %w", err)
	case len(reply) > longReply:
		return nil, fmt.Errorf("cloud: the answer is longer than %d bytes", longReply)
	case res.StatusCode == http.StatusTooManyRequests:
		return nil, ErrBusy
	case res.StatusCode == http.StatusOK:
		return reply, nil
	}
	if slices.Contains(good, res.StatusCode) {
		return reply, nil
	}
	return nil, fmt.Errorf("cloud: answered with HTTP %d", res.StatusCode)
}

// errReply is returned for an answer that is not what the provider documents.
var errReply = errors.New("cloud: the answer is not understood")
