package cloud

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unlimitedBudget returns a budget that never delays.
func unlimitedBudget() *Budget { return NewBudget(1e6) }

// startServer serves h until the test ends, and returns its URL and the options of a
// client.
func startServer(t *testing.T, h http.Handler) (link string, o Options) {
	t.Helper()
	s := httptest.NewServer(h)
	transport := &http.Transport{}
	t.Cleanup(s.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return s.URL, Options{Budget: unlimitedBudget(), Transport: transport}
}

// collectOnline returns the codes that a ForEachOnline yields.
func collectOnline(forEachOnline func(context.Context, func(string)) error, ctx context.Context) (codes []string, err error) {
	err = forEachOnline(ctx, func(code string) { codes = append(codes, code) })
	return codes, err
}

// shortContext returns a context with a timeout for fast operations.
func shortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// outcome describes the results of IsOnline.
func outcome(isOnline bool, err error) string {
	switch {
	case err != nil:
		return "failed"
	case isOnline:
		return "online"
	}
	return "offline"
}
