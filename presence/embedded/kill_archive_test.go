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

// recordingPairs is how many pairs of recordings the process writes again and again.
const recordingPairs = 5

// recordingPair returns the recordings that one Keep of a round stores together.
func recordingPair(i, round int) []presence.Recording {
	pair := make([]presence.Recording, 2)
	for n := range pair {
		pair[n] = presence.Recording{ID: fmt.Sprint("r", i, "x", n), Anchor: fmt.Sprint("anchor", round), StartedAt: int64(round), EndedAt: int64(i)}
	}
	return pair
}

// keepAndDiscard stores pairs without end, sometimes discards one, and prints each
// request and each acknowledgement.
func keepAndDiscard(dir string) error {
	l, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	first := int(time.Now().UnixNano())
	for round := first; ; round++ {
		i, stored := rand.IntN(recordingPairs), round
		if i == 0 && rand.IntN(3) == 0 { // Discard deletes the first pair alone
			stored = 0
		}
		fmt.Println("sent", i, stored)
		if stored == 0 {
			_, err = l.DeleteRecordings(context.Background(), 1, 2)
		} else {
			err = l.Store(context.Background(), recordingPair(i, round))
		}
		if err != nil {
			return err
		}
		fmt.Println("done", i, stored)
	}
}

// TestKillLosesNoRecording: after kill -9 each pair is as acknowledged, or as in the
// request that was not acknowledged yet, and never half written.
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
		sent := map[int]int{}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var event string
			var i, round int
			if n, _ := fmt.Sscan(lines.Text(), &event, &i, &round); n != 3 {
				break // cut short by the kill
			}
			if event == "sent" {
				sent[i] = round
			} else {
				acked[i] = round
				delete(sent, i)
				total++
			}
		}
		cmd.Wait()
		kill.Stop()
		for i, round := range storedPairs(t, dir) {
			pending, isPending := sent[i]
			if round != acked[i] && (!isPending || round != pending) {
				t.Fatalf("pair %d: round %d, acknowledged %d, pending %d %v", i, round, acked[i], pending, isPending)
			}
			acked[i] = round
		}
	}
	t.Logf("%d rounds, %d acknowledged", rounds, total)
	if total < rounds {
		t.Errorf("only %d acknowledged: the process did too little", total)
	}
}

// storedPairs returns the round of each pair on disk, 0 for a missing one.
func storedPairs(t *testing.T, dir string) map[int]int {
	t.Helper()
	l := openDir(t, dir)
	defer l.Close()
	if l.store.damagedPath != "" {
		t.Fatalf("the store was damaged: %s", l.store.damagedPath)
	}
	rounds := map[int]int{}
	for i := range recordingPairs {
		for n, want := range recordingPair(i, 0) {
			rec, _, err := l.Recording(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 && int(rec.StartedAt) != rounds[i] {
				t.Fatalf("pair %d: one recording of round %d, the other of %d", i, rounds[i], rec.StartedAt)
			}
			rounds[i] = int(rec.StartedAt)
		}
	}
	return rounds
}
