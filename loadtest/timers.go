package main

import (
	"container/heap"
	"time"
)

// timer is something that a viewer, or with none the crowd, does later.
type timer struct {
	at   time.Duration // of the run
	do   func(*crowd, *viewer)
	v    *viewer
	life int32 // of the viewer's socket that it is about; 0: of any
}

// timers is a heap of them.
type timers []timer

// Len implements [heap.Interface], as do the next four.
func (t timers) Len() int { return len(t) }

// Less implements [heap.Interface].
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }

// Swap implements [heap.Interface].
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push implements [heap.Interface].
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements [heap.Interface].
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = timer{}
	*t = (*t)[:last]
	return x
}

// due takes the next timer whose time has come.
func (t *timers) due(now time.Duration) (timer, bool) {
	if len(*t) == 0 || (*t)[0].at > now {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}

func (t *timers) add(x timer) { heap.Push(t, x) }
