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

// callback is what nginx told onair, and what onair answered.
type callback struct {
	body   string // as it came
	form   url.Values
	status int
}

// is compares a member's first value: what comes after it is the pusher's.
func (c callback) is(key, value string) bool { return c.form.Get(key) == value }

// callbacks stands between nginx and onair and listens, so that a test can
// wait until onair has answered.
type callbacks struct {
	mu    sync.Mutex
	all   []callback
	grown chan struct{}
}

// listen makes callbacks of a stage pass by.
func listen(t *testing.T, set *settings) *callbacks {
	t.Helper()
	c := &callbacks{grown: make(chan struct{})}
	set.Detour = func(onair string) string {
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
			c.note(string(body), res.StatusCode)
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

func (c *callbacks) note(body string, status int) {
	form, _ := url.ParseQuery(body) // what can be read of it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, callback{body, form, status})
	close(c.grown)
	c.grown = make(chan struct{})
}

func (c *callbacks) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// answered waits for a callback of a push or a player of that name, after a
// moment. client is nginx's number of its connection, "" for any.
func (c *callbacks) answered(ctx context.Context, from int, call, name, client string) (callback, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestStep, errUnseen)
	defer cancel()
	for {
		c.mu.Lock()
		grown := c.grown
		for _, one := range c.all[from:] {
			if one.is("call", call) && one.is("name", name) && (client == "" || one.is("clientid", client)) {
				c.mu.Unlock()
				return one, nil
			}
		}
		c.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return callback{}, fmt.Errorf("no callback %s of %s: %w", call, name, context.Cause(ctx))
		}
	}
}

// String shows what came, for a test that failed.
func (c *callbacks) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, one := range c.all {
		fmt.Fprintln(&b, one.status, patterns.ReplaceAllString(one.body, "$1$2$3$4…"))
	}
	return b.String()
}
