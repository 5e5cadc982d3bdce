package embedded

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"onair/presence"
)

// killPairs is how many pairs of recordings are kept, again and again.
const killPairs = 5

// pairOf is what is kept at once in a round: both, or none.
func pairOf(i, round int) []presence.Recording {
	pair := make([]presence.Recording, 2)
	for n := range pair {
		pair[n] = presence.Recording{ID: fmt.Sprint("r", i, "x", n), Anchor: fmt.Sprint("anchor", round), StartedAt: int64(round), EndedAt: int64(i)}
	}
	return pair
}

// keepAndDiscard keeps pairs for ever, now and then discards one, and prints what
// was acknowledged.
func keepAndDiscard(dir string) error {
	l, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	first := int(time.Now().UnixNano())
	for round := first; ; round++ {
		i, rounded := rand.IntN(killPairs), round
		if i == 0 && rand.IntN(3) == 0 { // of the first alone it is known that it goes
			rounded = 0
		}
		fmt.Println("asked", i, rounded)
		if rounded == 0 {
			_, err = l.Discard(context.Background(), 1, 2)
		} else {
			err = l.Keep(context.Background(), pairOf(i, round))
		}
		if err != nil {
			return err
		}
		fmt.Println("done", i, rounded)
	}
}

// TestKillLosesNoRecording: what was acknowledged as kept or discarded is so after
// kill -9, and what is kept at once is there at once.
func TestKillLosesNoRecording(t *testing.T) {
	const rounds = 20
	dir := t.TempDir()
	acked, total := map[int]int{}, 0
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killArchiveDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(50+rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		asked := map[int]int{}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var what string
			var i, round int
			if n, _ := fmt.Sscan(lines.Text(), &what, &i, &round); n != 3 {
				break // cut short by the kill
			}
			if what == "asked" {
				asked[i] = round
			} else {
				acked[i] = round
				delete(asked, i)
				total++
			}
		}
		cmd.Wait()
		kill.Stop()
		for i, round := range keptPairs(t, dir) {
			on, waits := asked[i]
			if round != acked[i] && (!waits || round != on) {
				t.Fatalf("pair %d: round %d, acknowledged %d, on its way %d %v", i, round, acked[i], on, waits)
			}
			acked[i] = round
		}
	}
	t.Logf("%d rounds, %d acknowledged", rounds, total)
	if total < rounds {
		t.Errorf("only %d were acknowledged: there was no load", total)
	}
}

// keptPairs reads of which round each pair on disk is, 0: it is not there.
func keptPairs(t *testing.T, dir string) map[int]int {
	t.Helper()
	l := openDir(t, dir)
	defer l.Close()
	if l.Damaged() != "" {
		t.Fatalf("the store was damaged: %s", l.Damaged())
	}
	out := map[int]int{}
	for i := range killPairs {
		for n, want := range pairOf(i, 0) {
			rec, _, err := l.Recording(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 && int(rec.StartedAt) != out[i] {
				t.Fatalf("of pair %d one is of round %d, the other of %d", i, out[i], rec.StartedAt)
			}
			out[i] = int(rec.StartedAt)
		}
	}
	return out
}
