package main

import (
	"container/heap"
	"time"
)

// timer calls an action at a time of the run.
type timer struct {
	dueAt  time.Duration
	action func()
}

// timerHeap is a heap of timers by dueAt.
type timerHeap []timer

// Len implements [heap.Interface], as do the next four.
func (t timerHeap) Len() int { return len(t) }

// Less implements [heap.Interface].
func (t timerHeap) Less(i, j int) bool { return t[i].dueAt < t[j].dueAt }

// Swap implements [heap.Interface].
func (t timerHeap) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push implements [heap.Interface].
func (t *timerHeap) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements [heap.Interface].
func (t *timerHeap) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = timer{}
	*t = (*t)[:last]
	return x
}

// popDue removes and returns the first timer, if it is due.
func (t *timerHeap) popDue(now time.Duration) (due timer, isDue bool) {
	if len(*t) == 0 || (*t)[0].dueAt > now {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}

func (t *timerHeap) scheduleTimer(x timer) { heap.Push(t, x) }
