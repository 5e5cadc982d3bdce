package redislog

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"onair/presence/redislog/redistest"
)

// TestMinReplicas: a node warns of a primary that would still accept writes when it is
// separated from its replicas. It needs no right to CONFIG, and sees later changes.
func TestMinReplicas(t *testing.T) {
	s := redistest.Start(t)
	s.Do("ACL", "SETUSER", "onair", "on", ">secret", "~{onair}:*", "+@read", "+@write", "+@scripting", "+@connection", "+info", "+time")
	var out bytes.Buffer
	reg := prometheus.NewRegistry()
	l := openLog(t, Options{
		Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}, Username: "onair", Password: "secret"}),
		Logger: zerolog.New(zerolog.SyncWriter(&out)), Metrics: reg,
	})
	mustLoad(t, l)
	checkWarning := func(what string, isWarned bool, logLines int) {
		t.Helper()
		if got := slices.Equal(l.Warnings(), []string{"min-replicas-to-write"}); got != isWarned || !got && l.Warnings() != nil {
			t.Errorf("%s: warnings %q", what, l.Warnings())
		}
		if got := metricValue(t, reg, "onair_redis_min_replicas_unset"); (got == 1) != isWarned {
			t.Errorf("%s: the metric is %v", what, got)
		}
		if got := strings.Count(out.String(), "set min-replicas-to-write 1"); got != logLines {
			t.Errorf("%s: %d warnings in the log, want %d", what, got, logLines)
		}
	}
	checkWarning("without replicas", false, 0)
	redistest.StartReplica(t, s)
	l.checkReplication(t.Context())
	checkWarning("with a replica", true, 1)
	l.checkReplication(t.Context())
	checkWarning("again", true, 1)
	second := openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}})})
	mustLoad(t, second)
	if second.Warnings() == nil {
		t.Error("no warning at the start")
	}
	s.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	l.checkReplication(t.Context())
	checkWarning("set", false, 1)
	s.DetachReplicas()
	s.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	l.checkReplication(t.Context())
	checkWarning("no replica is connected", false, 1)
}
