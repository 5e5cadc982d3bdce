package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"onair/hub/wire"
)

// newProxyStack starts Redis, two nodes and the reverse proxies.
func newProxyStack(t testing.TB) *testStack {
	t.Helper()
	s := newUnstartedStack(t)
	if err := s.writeFiles(); err != nil {
		t.Fatal(err)
	}
	for _, start := range []func(context.Context) error{s.startRedis, s.startNodes, s.startBalancer} {
		if err := start(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.proxies = map[string]string{"haproxy": s.addrs.balancer, "nginx": s.startNginxProxy()}
	return s
}

// busyList is a list that changes much faster than a slow viewer reads.
type busyList struct {
	stack *testStack
	token string
	codes []string
	next  int // index of the stream that is updated next
}

// startBusyList starts streams.
func (s *testStack) startBusyList(streams int) *busyList {
	s.t.Helper()
	token, err := s.token(s.ctx, "backend", "backend")
	if err != nil {
		s.t.Fatal(err)
	}
	l := &busyList{stack: s, token: token}
	for i := range streams {
		var started struct{ Stream struct{ Code string } }
		body := l.call(http.MethodPost, "/v1/streams", fmt.Sprintf(`{"anchor":"a%d","title":"0"}`, i))
		if err := json.Unmarshal(body, &started); err != nil {
			s.t.Fatalf("start: %v: %s", err, body)
		}
		l.codes = append(l.codes, started.Stream.Code)
	}
	return l
}

// call sends a request to the first node, and returns the body of the response.
func (l *busyList) call(method, path, body string) []byte {
	l.stack.t.Helper()
	req, err := http.NewRequestWithContext(l.stack.ctx, method, "http://"+l.stack.addrs.nodes[0].api+path, strings.NewReader(body))
	if err != nil {
		l.stack.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	res, err := l.stack.client.Do(req)
	if err != nil {
		l.stack.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		l.stack.t.Fatalf("%s %s: %s %s %v", method, path, res.Status, text, err)
	}
	return text
}

// updateNext changes the title and the extra of the next stream. The title is a number,
// which rises from update to update.
func (l *busyList) updateNext(number int64, extraBytes int) {
	l.stack.t.Helper()
	padding := strconv.FormatInt(number, 10) + strings.Repeat("x", extraBytes)
	l.call(http.MethodPatch, "/v1/streams/"+l.codes[l.next%len(l.codes)], fmt.Sprintf(`{"title":"%d","extra":{"padding":"%s"}}`, number, padding))
	l.next++
}

// newestTitle is the greatest number among the titles in a message, 0 for none.
func newestTitle(m wire.Message) (newest int64) {
	compare := func(title string) {
		number, _ := strconv.ParseInt(title, 10, 64)
		newest = max(newest, number)
	}
	switch m := m.(type) {
	case *wire.Snapshot:
		for _, e := range m.Streams {
			compare(e.Title)
		}
	case *wire.Diff:
		for _, e := range m.Put {
			compare(e.Title)
		}
		for _, p := range m.Set {
			compare(strings.Trim(string(p.Members["title"]), `"`))
		}
	}
	return newest
}
