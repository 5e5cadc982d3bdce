package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// callback is a callback of nginx, with the status of onair's response.
type callback struct {
	body   string
	form   url.Values
	status int
}

// hasValue compares a field's first value. The pusher may add later ones.
func (c callback) hasValue(key, value string) bool { return c.form.Get(key) == value }

// callbackRecorder forwards callbacks from nginx to onair, and records them.
type callbackRecorder struct {
	mu        sync.Mutex // guards below
	callbacks []callback
	changed   chan struct{} // closed and replaced with each callback
}

// recordCallbacks makes an environment send its callbacks through a recorder.
func recordCallbacks(t *testing.T, set *settings) *callbackRecorder {
	t.Helper()
	c := &callbackRecorder{changed: make(chan struct{})}
	set.CallbackAddr = func(onair string) string {
		client := &http.Client{Transport: &http.Transport{}}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			res, err := client.Post("http://"+onair+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(body))
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			res.Body.Close()
			w.WriteHeader(res.StatusCode)
			c.record(string(body), res.StatusCode)
		}))
		t.Cleanup(func() {
			srv.Close()
			client.CloseIdleConnections()
			if t.Failed() {
				t.Logf("callbacks:\n%s", c)
			}
		})
		return strings.TrimPrefix(srv.URL, "http://")
	}
	return c
}

func (c *callbackRecorder) record(body string, status int) {
	form, _ := url.ParseQuery(body) // without its invalid parts
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callbacks = append(c.callbacks, callback{body, form, status})
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *callbackRecorder) position() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.callbacks)
}

// awaitCallback waits for a callback with those fields after a position. client is nginx's
// number of the connection, "" for any.
func (c *callbackRecorder) awaitCallback(ctx context.Context, position int, call, name, client string) (callback, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, errStepTimeout)
	defer cancel()
	for {
		c.mu.Lock()
		changed := c.changed
		for _, cb := range c.callbacks[position:] {
			if cb.hasValue("call", call) && cb.hasValue("name", name) && (client == "" || cb.hasValue("clientid", client)) {
				c.mu.Unlock()
				return cb, nil
			}
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return callback{}, fmt.Errorf("no callback %s for %s: %w", call, name, context.Cause(ctx))
		}
	}
}

// String formats the callbacks for the log of a failed test.
func (c *callbackRecorder) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, cb := range c.callbacks {
		fmt.Fprintln(&b, cb.status, redactPatterns(cb.body))
	}
	return b.String()
}
