package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"onair/presence"
	"onair/presence/node"
)

// These environment variables name a directory, and turn the test binary into a
// process to be killed: a node, or a writer of recordings.
const (
	killDir        = "ONAIR_TEST_KILL_DIR"
	killArchiveDir = "ONAIR_TEST_KILL_ARCHIVE_DIR"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		fmt.Fprintln(os.Stderr, banAndUnban(dir))
		os.Exit(1)
	}
	if dir := os.Getenv(killArchiveDir); dir != "" {
		fmt.Fprintln(os.Stderr, keepAndDiscard(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// banAndUnban bans and unbans without end, and prints each request and each
// acknowledgement.
func banAndUnban(dir string) error {
	l, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	n, err := node.Join(context.Background(), l, node.Config{
		Name: "a", Settings: presence.Settings{Revision: 1, Interval: 60_000, Missed: 3, Grace: 5_000},
	})
	if err != nil {
		return err
	}
	go n.Run(context.Background())
	for i := 0; ; i++ {
		anchor := fmt.Sprint("anchor", i%7)
		var c presence.Command = &presence.Ban{Anchor: anchor, Reason: fmt.Sprint(i)}
		if rand.IntN(3) == 0 {
			c = &presence.Unban{Anchor: anchor}
		}
		fmt.Printf("sent %s %T %d\n", anchor, c, i)
		if _, err := n.Do(context.Background(), c); err != nil {
			return err
		}
		fmt.Printf("done %s %T %d\n", anchor, c, i)
	}
}

// TestKillLosesNoBan: after kill -9 each ban is as acknowledged, or as in the
// request that was not acknowledged yet.
func TestKillLosesNoBan(t *testing.T) {
	const rounds = 50
	dir := t.TempDir()
	acked, sent := map[string]string{}, map[string]string{}
	total := 0
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(50+rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		clear(sent)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Fields(lines.Text())
			if len(f) != 4 {
				break // cut short by the kill
			}
			state := ""
			if f[2] == "*presence.Ban" {
				state = f[3]
			}
			if f[0] == "sent" {
				sent[f[1]] = state
			} else {
				acked[f[1]] = state
				delete(sent, f[1])
				total++
			}
		}
		cmd.Wait()
		kill.Stop()
		for anchor, state := range storedBans(t, dir) {
			pending, isPending := sent[anchor]
			if state != acked[anchor] && (!isPending || state != pending) {
				t.Fatalf("%s: ban %q, acknowledged %q, pending %q %v", anchor, state, acked[anchor], pending, isPending)
			}
			acked[anchor] = state
		}
	}
	t.Logf("%d rounds, %d acknowledged bans and unbans", rounds, total)
	if total < rounds {
		t.Errorf("only %d acknowledged: the process did too little", total)
	}
}

// storedBans returns the reason of each anchor's ban on disk, "" for none.
func storedBans(t *testing.T, dir string) map[string]string {
	t.Helper()
	l := openDir(t, dir)
	defer l.Close()
	if l.store.damagedPath != "" {
		t.Fatalf("the store was damaged: %s", l.store.damagedPath)
	}
	reg, _, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for i := range 7 {
		anchor := fmt.Sprint("anchor", i)
		b, _ := reg.ActiveBan(anchor)
		reasons[anchor] = b.Reason
	}
	return reasons
}
