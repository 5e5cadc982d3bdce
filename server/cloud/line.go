package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Options are what all clients need.
type Options struct {
	Budget    *Budget
	Transport http.RoundTripper // nil: one of the client's own
}

const (
	// requestTimeout bounds one request, from dialling to the answer's last byte.
	// Providers answer in tenths of a second; longer only holds up others.
	requestTimeout = 5 * time.Second

	// maxResponseBytes bounds an answer, in bytes: the largest is the statistics page
	// of an nginx with some ten thousand streams.
	maxResponseBytes = 64 << 20

	// maxAttempts is how often something is asked that is refused for its rate alone.
	maxAttempts = 3

	// maxIdleConns is how many connections are kept for the next requests, as many as are
	// often under way at once.
	maxIdleConns = 32
)

// rateLimitedClient is the way to one provider.
type rateLimitedClient struct {
	budget *Budget
	client *http.Client
}

func newClient(o Options) *rateLimitedClient {
	if o.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = maxIdleConns
		o.Transport = own
	}
	return &rateLimitedClient{o.Budget, &http.Client{
		Transport: o.Transport,
		Timeout:   requestTimeout,
		// A signed request is for whom it was signed for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do does something that sends one request, in its turn, and again when the
// provider refuses it for the rate alone. The request is made when its turn has come,
// since what is signed holds the time.
func (l *rateLimitedClient) do(ctx context.Context, once func() error) (err error) {
	for range maxAttempts {
		if err := l.budget.wait(ctx); err != nil {
			return err
		}
		if err = once(); !errors.Is(err, ErrRateLimited) {
			return err
		}
		l.budget.reduce()
	}
	return err
}

// get asks for what is at a URL.
func (l *rateLimitedClient) get(ctx context.Context, method, link string) (status int, body []byte, err error) {
	err = l.do(ctx, func() error {
		r, err := http.NewRequestWithContext(ctx, method, link, nil)
		if err != nil {
			return errors.New("cloud: its URL is none") // the error would show it
		}
		status, body, err = l.send(r)
		return err
	})
	return status, body, err
}

// send sends a request and reads the answer, whatever its status. It returns
// ErrRateLimited for the status that says so.
func (l *rateLimitedClient) send(r *http.Request) (status int, body []byte, err error) {
	answer, err := l.client.Do(r)
	if err != nil {
		if whole, ok := errors.AsType[*url.Error](err); ok {
			err = whole.Err // the rest is the URL, which may be signed
		}
		return 0, nil, fmt.Errorf("cloud: there is no answer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusTooManyRequests {
		return 0, nil, ErrRateLimited
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxResponseBytes+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("cloud: the answer breaks off: %w", err)
	case len(body) > maxResponseBytes:
		return 0, nil, fmt.Errorf("cloud: the answer is longer than %d bytes", maxResponseBytes)
	}
	return answer.StatusCode, body, nil
}

// checkStatus returns an error for an answer that is not a success.
func checkStatus(status int) error {
	if status/100 != 2 {
		return fmt.Errorf("cloud: the answer is HTTP %d", status)
	}
	return nil
}
