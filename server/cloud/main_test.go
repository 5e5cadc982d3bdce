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

// plenty is a budget that holds nobody up.
func plenty() *Budget { return NewBudget(1e6) }

// serve has a server answer for as long as the test lasts, and gives its URL and the
// options of a client of it.
func serve(t *testing.T, h http.Handler) (link string, o Options) {
	t.Helper()
	s := httptest.NewServer(h)
	transport := &http.Transport{}
	t.Cleanup(s.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return s.URL, Options{Budget: plenty(), Transport: transport}
}

// list reads all that an Online names.
func list(online func(context.Context, func(string)) error, ctx context.Context) (codes []string, err error) {
	err = online(ctx, func(code string) { codes = append(codes, code) })
	return codes, err
}

// soon is a context for what should take no time.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
