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

// transcript is what happened, in order.
type transcript struct {
	mu    sync.Mutex // guards all below
	lines []string
	sum   hash.Hash64 // of what repeats when a seed is run again
}

// note adds a line. Nothing in it differs from run to run of a seed.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%12.6f  ", w.since().Seconds()) + fmt.Sprintf(format, args...)
	w.trace.mu.Lock()
	defer w.trace.mu.Unlock()
	if w.trace.sum == nil {
		w.trace.sum = fnv.New64a()
	}
	w.trace.sum.Write([]byte(line))
	w.trace.lines = append(w.trace.lines, line)
}

// last are the last lines, or all.
func (t *transcript) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines[max(0, len(t.lines)-n):], "\n")
}

// before are so many lines before the first violation, and that.
func (t *transcript) before(n int) string {
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

// nodeLog takes a node's log into the trace. It has ids in it, and so does not
// count as something that repeats.
type nodeLog struct {
	w    *world
	node *simNode
}

// Write implements io.Writer.
func (l nodeLog) Write(p []byte) (int, error) {
	t := &l.w.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Since(l.w.began).Seconds()
	t.lines = append(t.lines, fmt.Sprintf("%12.6f    %v: %s", at, l.node, strings.TrimSpace(string(p))))
	return len(p), nil
}
