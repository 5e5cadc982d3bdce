package main

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"onair/hub/wire"
	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestRestoreDirectory: a copy by VACUUM INTO of a running server's database is a backup.
func TestRestoreDirectory(t *testing.T) {
	t.Parallel()
	dir, restored := t.TempDir(), t.TempDir()
	testRestore(t, []string{"--data", dir}, func() (flags []string) {
		db, err := sql.Open("sqlite", filepath.Join(dir, "onair.db"))
		if err == nil {
			_, err = db.Exec("VACUUM INTO ?", filepath.Join(restored, "onair.db"))
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return []string{"--data", restored}
	})
}

// TestRestoreRedis: a dump of Redis under running nodes is a backup.
func TestRestoreRedis(t *testing.T) {
	t.Parallel()
	dir, restored := t.TempDir(), t.TempDir()
	s := redistest.Start(t, "--dir", dir)
	testRestore(t, []string{"--redis.addrs", s.Addr()}, func() (flags []string) {
		s.Do("SAVE")
		dump, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
		if err == nil {
			err = os.WriteFile(filepath.Join(restored, "dump.rdb"), dump, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return []string{"--redis.addrs", redistest.Start(t, "--dir", restored).Addr()}
	})
}

// testRestore checks what a node has after it was restored from a backup: the sessions of that
// time, of which those end that do not beat, and no change since. Webhooks are sent again.
func testRestore(t *testing.T, flags []string, backUp func() (restoredFlags []string)) {
	backend := &nodetest.Backend{Status: http.StatusServiceUnavailable}
	srv := httptest.NewServer(backend)
	t.Cleanup(srv.Close)
	f := newFleet(t, "--heartbeat.interval", "5s", "--webhooks.url", srv.URL, "--webhooks.secret", nodetest.WebhookSecret)
	f.addNodes(&fleetNode{flags: flags})
	alice, bob := f.startOverHTTP("alice", ""), f.startOverHTTP("bob", "")
	before := f.sessions(f.allNodes()[0], "live")
	restoredFlags := backUp()

	f.mustCall(http.StatusOK, "DELETE", "/v1/streams/8888_bob?session="+bob.Session, nodetest.SignToken(t, auth.Anchor, "bob"), "")
	carol := f.startOverHTTP("carol", "")
	if err := f.ban(f.allNodes()[0], "mallory"); err != nil {
		t.Fatal(err)
	}
	backend.SetStatus(http.StatusOK)
	f.awaitStartsReceived(backend, 1)
	old := f.allNodes()[0]
	old.signalAndWait(syscall.SIGTERM)

	restored := &fleetNode{name: "restored", flags: restoredFlags}
	f.addNodes(restored)
	f.nodes = []*fleetNode{restored}
	if live := f.sessions(restored, "live"); !slices.Equal(slices.Sorted(maps.Keys(live)), slices.Sorted(maps.Keys(before))) {
		t.Errorf("live are %v, at the time of the backup %v", live, before)
	}
	anchor := restored.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "alice"))
	nodetest.RequestReply[*wire.Started](anchor, &wire.Resume{ID: anchor.NextID(), Session: alice.Session})
	if err := f.checkBanned(restored, "mallory"); err == nil {
		t.Error("a ban after the backup is there")
	}
	gone := restored.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "carol"))
	if e := nodetest.RequestReply[*wire.Error](gone, &wire.Resume{ID: gone.NextID(), Session: carol.Session}); e.Code != wire.CodeSessionGone {
		t.Errorf("a session after the backup is resumed with %+v", e)
	}
	f.awaitStartsReceived(backend, 2)
	f.await("the session that has ended since to end again", nodetest.ProcessTimeout, func() error {
		if ended := f.sessions(restored, "ended")["8888_bob"]; !strings.HasPrefix(ended, "ended  missed_beats "+bob.Session) {
			return fmt.Errorf("bob is %q", ended)
		}
		return nil
	})
}

// awaitStartsReceived waits until the back end has received the start of alice that often, each
// time under the same id.
func (f *fleet) awaitStartsReceived(b *nodetest.Backend, n int) {
	f.t.Helper()
	f.await("the webhook of a start", nodetest.ProcessTimeout, func() error {
		var ids []string
		for _, e := range b.ReceivedEvents() {
			if e.Type == "stream.started" && e.Data.Anchor == "alice" {
				ids = append(ids, e.ID)
			}
		}
		if len(ids) != n || len(slices.Compact(ids)) != 1 {
			return fmt.Errorf("received %v", ids)
		}
		return nil
	})
}
