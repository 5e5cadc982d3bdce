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

// killDir makes the test binary be a node on that directory, to be killed;
// killArchiveDir one that keeps recordings.
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

// banAndUnban bans and unbans for ever, and prints what was acknowledged.
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
		who := fmt.Sprint("anchor", i%7)
		var c presence.Command = &presence.Ban{Anchor: who, Reason: fmt.Sprint(i)}
		if rand.IntN(3) == 0 {
			c = &presence.Unban{Anchor: who}
		}
		fmt.Printf("asked %s %T %d\n", who, c, i)
		if _, err := n.Do(context.Background(), c); err != nil {
			return err
		}
		fmt.Printf("done %s %T %d\n", who, c, i)
	}
}

// TestKillLosesNoBan: whatever was acknowledged holds after kill -9; what was
// on its way may.
func TestKillLosesNoBan(t *testing.T) {
	const rounds = 50
	dir := t.TempDir()
	acked, next := map[string]string{}, map[string]string{}
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
		clear(next)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Fields(lines.Text())
			if len(f) != 4 {
				break // cut short by the kill
			}
			state := ""
			if f[2] == "*presence.Ban" {
				state = f[3]
			}
			if f[0] == "asked" {
				next[f[1]] = state
			} else {
				acked[f[1]] = state
				delete(next, f[1])
				total++
			}
		}
		cmd.Wait()
		kill.Stop()
		for who, state := range banned(t, dir) {
			on, waits := next[who]
			if state != acked[who] && (!waits || state != on) {
				t.Fatalf("%s: ban %q, acknowledged %q, on its way %q %v", who, state, acked[who], on, waits)
			}
			acked[who] = state
		}
	}
	t.Logf("%d rounds, %d acknowledged bans and unbans", rounds, total)
	if total < rounds {
		t.Errorf("only %d were acknowledged: there was no load", total)
	}
}

// banned reads who is banned, and for which reason, from what is on disk.
func banned(t *testing.T, dir string) map[string]string {
	t.Helper()
	l := openDir(t, dir)
	defer l.Close()
	if l.Damaged() != "" {
		t.Fatalf("the store was damaged: %s", l.Damaged())
	}
	reg, _, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for i := range 7 {
		who := fmt.Sprint("anchor", i)
		b, _ := reg.Banned(who)
		out[who] = b.Reason
	}
	return out
}
