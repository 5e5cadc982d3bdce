package main

import (
	"fmt"
	"slices"
	"sync"
)

// faultKind is a kind of fault of the server. Each is a row of the verdict, and any
// fault fails the run.
type faultKind int

const (
	faultProtocol       faultKind = iota // a frame or message that breaks the protocol
	faultBrokenChain                     // a diff that does not continue at its viewer's position
	faultDivergentLists                  // two lists at the same position of a view
	faultEarlyDeparture                  // a session left a list although its anchor still beat
	faultStaleList                       // a list that differs from a fresh snapshot
	faultBrokenPromise                   // a fresh snapshot that differs from what anchors were promised
	faultKindCount
)

var faultNames = [faultKindCount]string{
	"broken messages", "broken chains of positions", "different lists at one position",
	"sessions that left a list although their anchor still beat", "lists that differ from a fresh snapshot",
	"entries that differ from what their anchor was promised",
}

// String implements [fmt.Stringer].
func (k faultKind) String() string { return faultNames[k] }

// maxExamples is how many faults a report describes.
const maxExamples = 20

// faultLog counts faults. A frame that many viewers get at the same list is checked
// once for all of them, so one fault may stand for thousands. It is safe for
// concurrent use.
type faultLog struct {
	mu       sync.Mutex // guards both
	counts   [faultKindCount]int
	examples []string
}

func (l *faultLog) recordFault(kind faultKind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[kind]++
	if len(l.examples) < maxExamples {
		l.examples = append(l.examples, kind.String()+": "+fmt.Sprintf(format, args...))
	}
}

func (l *faultLog) countsAndExamples() (counts [faultKindCount]int, examples []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts, slices.Clone(l.examples)
}
