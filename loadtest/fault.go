package main

import (
	"fmt"
	"slices"
	"sync"
)

// fault is a kind of lie. Each is a line of the verdict, and none is forgiven.
type fault int

const (
	faultProtocol fault = iota // a frame or a message that no server should send
	faultChain                 // a diff that does not continue where its viewer is
	faultDiverge               // two lists at one position
	faultLeft                  // an anchor that beat was seen to leave
	faultFresh                 // a list that differs from a fresh snapshot
	faultPromise               // a fresh snapshot that differs from what anchors were told
	faultKinds
)

var faultNames = [faultKinds]string{
	"broken messages", "broken chains of positions", "different lists at one position",
	"anchors that beat and were seen to leave", "lists that differ from a fresh snapshot",
	"entries that differ from what their anchor was told",
}

func (f fault) String() string { return faultNames[f] }

// maxExamples is how many faults are told in words.
const maxExamples = 20

// faults counts what was found. What leads on from one list is checked once for
// all viewers that have it, so one count may stand for thousands of them.
type faults struct {
	mu       sync.Mutex // guards both
	counts   [faultKinds]int
	examples []string
}

func (f *faults) add(kind fault, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[kind]++
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, kind.String()+": "+fmt.Sprintf(format, args...))
	}
}

func (f *faults) read() (counts [faultKinds]int, examples []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts, slices.Clone(f.examples)
}
