package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"onair/server/outgoing"
)

// Options are common to all clients.
type Options struct {
	Budget    *Budget
	Transport http.RoundTripper // nil: a new one for this client
}

const (
	// requestTimeout bounds one request, from the connection to the end of the response.
	// Providers respond within tenths of a second.
	requestTimeout = 5 * time.Second

	// maxResponseBytes bounds a response. The largest is the statistics page of an nginx
	// with about ten thousand streams.
	maxResponseBytes = 64 << 20

	// maxAttempts bounds the attempts of a request that is rejected for its rate.
	maxAttempts = 3
)

// rateLimitedClient sends requests to one provider within a budget.
type rateLimitedClient struct {
	budget *Budget
	client *http.Client
}

func newRateLimitedClient(o Options) *rateLimitedClient {
	if o.Transport == nil {
		o.Transport = outgoing.NewTransport()
	}
	return &rateLimitedClient{o.Budget, &http.Client{
		Transport: o.Transport,
		Timeout:   requestTimeout,
		// A signed request must reach only the host that it was signed for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// retryIfRateLimited calls sendOnce, which builds and sends one request, when the budget
// permits it. If the provider rejects the request for its rate, it halves the rate and calls
// it again. A new request is built each time, since a signature contains the time.
func (c *rateLimitedClient) retryIfRateLimited(ctx context.Context, sendOnce func() error) (err error) {
	for range maxAttempts {
		if err := c.budget.waitAndCountRequest(ctx); err != nil {
			return err
		}
		if err = sendOnce(); !errors.Is(err, ErrRateLimited) {
			return err
		}
		c.budget.halveRateAndPause()
	}
	return err
}

// getRetryingIfRateLimited returns the body of a successful response to a GET request.
func (c *rateLimitedClient) getRetryingIfRateLimited(ctx context.Context, link string) (body []byte, err error) {
	err = c.retryIfRateLimited(ctx, func() (err error) {
		body, err = c.getOnce(ctx, link)
		return err
	})
	return body, err
}

// getOnce sends one GET request, and returns the body of a successful response.
func (c *rateLimitedClient) getOnce(ctx context.Context, link string) (body []byte, err error) {
	status, body, err := c.requestOnce(ctx, http.MethodGet, link)
	if err == nil {
		err = checkStatusIs2xx(status)
	}
	return body, err
}

// requestOnce sends one request without a body, and returns the response like sendOnce.
func (c *rateLimitedClient) requestOnce(ctx context.Context, method, link string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, link, nil)
	if err != nil {
		return 0, nil, errors.New("cloud: invalid URL") // the original error contains it
	}
	return c.sendOnce(r)
}

// sendOnce sends a request, and returns the response with any status except that of a
// rejected rate, for which it returns ErrRateLimited.
func (c *rateLimitedClient) sendOnce(r *http.Request) (status int, body []byte, err error) {
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("cloud: request failed: %w", outgoing.WithoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests {
		return 0, nil, ErrRateLimited
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("cloud: reading the response failed: %w", err)
	case len(body) > maxResponseBytes:
		return 0, nil, fmt.Errorf("cloud: response exceeds %d bytes", maxResponseBytes)
	}
	return resp.StatusCode, body, nil
}

// checkStatusIs2xx returns an error for a status other than 2xx.
func checkStatusIs2xx(status int) error {
	if status/100 != 2 {
		return fmt.Errorf("cloud: response has status %d", status)
	}
	return nil
}
