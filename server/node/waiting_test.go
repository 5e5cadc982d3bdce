package node_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/hub/socket/sockettest"
	"onair/hub/wire"
	"onair/presence"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
	"onair/server/nodetest"
	"onair/server/response"
)

// awayStore is the store of a node.
type awayStore = node.Store

// awayLog is a log that does not answer.
type awayLog struct{ awayStore }

func (awayLog) Load(ctx context.Context, _ *presence.Registry) (*presence.Registry, uint64, error) {
	<-ctx.Done()
	return nil, 0, ctx.Err()
}

// TestWaitingForTheLog: a node whose log is away when it starts says that it
// lives and is not ready, shows its metrics, answers public requests with 503, and can be
// stopped.
func TestWaitingForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Load([]string{"--auth.secret", nodetest.TokenSecret, "--push.key", "push", "--play.key", "play", "--node", "n1", "--data", "memory"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := node.New(t.Context(), node.Options{
			Config: cfg, Store: awayLog{nodetest.OpenMemoryStore(t)}, IsShared: true, Metrics: prometheus.NewRegistry(), Log: zerolog.Nop(), Level: new(logging.Level),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		public, ops := sockettest.NewListener(), sockettest.NewListener()
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, public, ops) }()
		time.Sleep(10 * time.Minute)
		client := ops.Client()
		defer client.CloseIdleConnections()
		for path, want := range map[string]int{
			"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusOK,
		} {
			res, err := client.Get("http://node" + path)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%s: HTTP %d", path, res.StatusCode)
			}
		}
		web := public.Client()
		defer web.CloseIdleConnections()
		for _, path := range []string{"/v1/streams", "/v1/viewer", "/v1/hooks/tencent", "/"} {
			res, err := web.Get("http://node" + path)
			if err != nil {
				t.Fatal(err)
			}
			var problem response.Problem
			err = json.NewDecoder(res.Body).Decode(&problem)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusServiceUnavailable || problem.Code != wire.CodeUnavailable || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s: HTTP %d, %+v, %v", path, res.StatusCode, problem, err)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stopped: %v", err)
		}
	})
}
