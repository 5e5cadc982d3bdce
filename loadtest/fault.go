package main

import (
	"fmt"
	"slices"
	"sync"
)

// faultKind is a kind of lie. Each is a line of the verdict, and none is forgiven.
type faultKind int

const (
	faultProtocol       faultKind = iota // a frame or a message that no server should send
	faultBrokenChain                     // a diff that does not continue where its viewer is
	faultDivergentLists                  // two lists at one position
	faultEarlyDeparture                  // an anchor that beat was seen to leave
	faultStaleList                       // a list that differs from a fresh snapshot
	faultBrokenPromise                   // a fresh snapshot that differs from what anchors were told
	faultKindCount
)

var faultNames = [faultKindCount]string{
	"broken messages", "broken chains of positions", "different lists at one position",
	"anchors that beat and were seen to leave", "lists that differ from a fresh snapshot",
	"entries that differ from what their anchor was told",
}

func (f faultKind) String() string { return faultNames[f] }

// maxExamples is how many faults are told in words.
const maxExamples = 20

// faultLog counts what was found. What leads on from one list is checked once for
// all viewers that have it, so one count may stand for thousands of them.
type faultLog struct {
	mu       sync.Mutex // guards both
	counts   [faultKindCount]int
	examples []string
}

func (f *faultLog) record(kind faultKind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[kind]++
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, kind.String()+": "+fmt.Sprintf(format, args...))
	}
}

func (f *faultLog) snapshot() (counts [faultKindCount]int, examples []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts, slices.Clone(f.examples)
}
