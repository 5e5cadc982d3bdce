package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"onair/presence"
	"onair/presence/node"
)

// These environment variables name a writer and its directory, and turn the test binary
// into a process to be killed.
const (
	killWriter = "ONAIR_TEST_KILL_WRITER"
	killDir    = "ONAIR_TEST_KILL_DIR"
)

// writers write without end. They print "sent", a key and a number before each write, and
// the same with "done" after its acknowledgement.
var writers = map[string]func(dir string) error{"bans": banAndUnban, "recordings": storeAndDelete}

func TestMain(m *testing.M) {
	if write := writers[os.Getenv(killWriter)]; write != nil {
		fmt.Fprintln(os.Stderr, write(os.Getenv(killDir)))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// testKill kills a writer in several rounds. After each, the stored number of each key must
// be as acknowledged, or as in the write that was not acknowledged yet; 0 stands for none.
func testKill(t *testing.T, writer string, rounds int, storedValues func(*testing.T, *Log) map[string]int) {
	t.Helper()
	dir := t.TempDir()
	acked, total := map[string]int{}, 0
	for range rounds {
		pending, acknowledgements := runUntilKilled(t, writer, dir, acked)
		total += acknowledgements
		l := openDir(t, dir)
		if l.store.damagedPath != "" {
			t.Fatalf("the store was damaged: %s", l.store.damagedPath)
		}
		stored := storedValues(t, l)
		l.Close()
		for key, value := range stored {
			pendingValue, isPending := pending[key]
			if value != acked[key] && (!isPending || value != pendingValue) {
				t.Fatalf("%s: stored %d, acknowledged %d, pending %d %v", key, value, acked[key], pendingValue, isPending)
			}
			acked[key] = value
		}
	}
	t.Logf("%d rounds, %d acknowledged", rounds, total)
	if total < rounds {
		t.Errorf("only %d acknowledged: the process did too little", total)
	}
}

// runUntilKilled runs a writer, and kills it a random time after its first acknowledgement.
// It stores the acknowledged numbers into acked, and returns those that were sent and not
// acknowledged.
func runUntilKilled(t *testing.T, writer, dir string, acked map[string]int) (pending map[string]int, acknowledgements int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killWriter+"="+writer, killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pending = map[string]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var event, key string
		var value int
		if n, _ := fmt.Sscan(lines.Text(), &event, &key, &value); n != 3 {
			break // cut short by the kill
		}
		if event == "sent" {
			pending[key] = value
		} else {
			acked[key] = value
			delete(pending, key)
			if acknowledgements++; acknowledgements == 1 {
				time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
	}
	cmd.Wait()
	return pending, acknowledgements
}

// bannedAnchors is how many anchors banAndUnban has.
const bannedAnchors = 7

// banAndUnban bans anchors for a numbered reason, or ends their bans.
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
	for i := 1; ; i++ {
		anchor, reason := fmt.Sprint("anchor", i%bannedAnchors), i
		var c presence.Command = &presence.Ban{Anchor: anchor, Reason: fmt.Sprint(reason)}
		if rand.IntN(3) == 0 {
			c, reason = &presence.Unban{Anchor: anchor}, 0
		}
		fmt.Println("sent", anchor, reason)
		if _, err := n.Do(context.Background(), c); err != nil {
			return err
		}
		fmt.Println("done", anchor, reason)
	}
}

func TestKillLosesNoBan(t *testing.T) { testKill(t, "bans", 50, storedBans) }

// storedBans returns the reason of each anchor's ban on disk, 0 for none.
func storedBans(t *testing.T, l *Log) map[string]int {
	t.Helper()
	reg, _, err := join(t, l)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]int{}
	for i := range bannedAnchors {
		anchor := fmt.Sprint("anchor", i)
		b, _ := reg.ActiveBan(anchor)
		reasons[anchor], _ = strconv.Atoi(b.Reason) // 0 without a ban
	}
	return reasons
}
