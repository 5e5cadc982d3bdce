package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"onair/presence"
)

// recordingPairs is how many pairs of recordings the process writes again and again.
const recordingPairs = 5

// recordingPair returns the recordings that one Store of a round writes together.
func recordingPair(i, round int) []presence.Recording {
	pair := make([]presence.Recording, 2)
	for n := range pair {
		pair[n] = presence.Recording{ID: fmt.Sprint("r", i, "x", n), Anchor: fmt.Sprint("anchor", round), StartedAt: int64(round), EndedAt: int64(i)}
	}
	return pair
}

// storeAndDelete stores pairs, and sometimes deletes one.
func storeAndDelete(dir string) error {
	l, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	first := int(time.Now().UnixNano())
	for round := first; ; round++ {
		i, stored := rand.IntN(recordingPairs), round
		if i == 0 && rand.IntN(3) == 0 { // DeleteRecordings deletes the first pair alone
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

// TestKillLosesNoRecording also checks that no pair is half written.
func TestKillLosesNoRecording(t *testing.T) { testKill(t, "recordings", 20, storedPairs) }

// storedPairs returns the round of each pair on disk, 0 for a missing one.
func storedPairs(t *testing.T, l *Log) map[string]int {
	t.Helper()
	rounds := map[string]int{}
	for i := range recordingPairs {
		key := fmt.Sprint(i)
		for n, want := range recordingPair(i, 0) {
			rec, _, err := l.Recording(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n == 1 && int(rec.StartedAt) != rounds[key] {
				t.Fatalf("pair %d: one recording of round %d, the other of %d", i, rounds[key], rec.StartedAt)
			}
			rounds[key] = int(rec.StartedAt)
		}
	}
	return rounds
}
