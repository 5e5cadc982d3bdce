//go:build !race

package simulator

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"
)

// transcript is the trace of a run.
type transcript struct {
	mu    sync.Mutex // guards all below
	lines []string
	sum   hash.Hash64 // of the lines that repeat when a seed is run again
}

// traceEvent adds a line, which must be the same in each run of a seed.
func (w *world) traceEvent(format string, args ...any) {
	line := fmt.Sprintf("%12.6f  ", w.elapsed().Seconds()) + fmt.Sprintf(format, args...)
	w.trace.mu.Lock()
	defer w.trace.mu.Unlock()
	if w.trace.sum == nil {
		w.trace.sum = fnv.New64a()
	}
	w.trace.sum.Write([]byte(line))
	w.trace.lines = append(w.trace.lines, line)
}

// lastLines returns the last n lines.
func (t *transcript) lastLines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines[max(0, len(t.lines)-n):], "\n")
}

// linesUntilViolation returns the n lines before the first violation, and the violation.
func (t *transcript) linesUntilViolation(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.IndexFunc(t.lines, func(line string) bool { return strings.Contains(line, "VIOLATION") })
	return strings.Join(t.lines[max(0, at-n):at+1], "\n")
}

func (t *transcript) digest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum.Sum64()
}

// nodeLog adds a node's log to the trace, but not to its digest, because it contains random ids.
type nodeLog struct {
	w    *world
	node *simNode
}

// Write implements io.Writer.
func (l nodeLog) Write(p []byte) (int, error) {
	t := &l.w.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Since(l.w.startedAt).Seconds()
	t.lines = append(t.lines, fmt.Sprintf("%12.6f    %v: %s", at, l.node, strings.TrimSpace(string(p))))
	return len(p), nil
}
