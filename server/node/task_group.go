package node

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
)

// taskGroup runs tasks. They start in order and stop in reverse order. The goroutine that
// starts the tasks must also stop them.
type taskGroup struct {
	stopFuncs []func()
	failed    chan struct{} // closed when the first task fails

	once    sync.Once
	failure error // of the first task that failed; set before failed is closed
}

func newTaskGroup() *taskGroup { return &taskGroup{failed: make(chan struct{})} }

// runUntilCanceled starts a task that returns when its context ends.
func (g *taskGroup) runUntilCanceled(task func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	g.startTask(func() error { return task(ctx) }, cancel)
}

// startTask starts a task that returns after stop is called. The first error closes failed.
func (g *taskGroup) startTask(task func() error, stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := task(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			g.once.Do(func() { g.failure = err; close(g.failed) })
		}
	}()
	g.stopFuncs = append(g.stopFuncs, func() { stop(); <-done })
}

// stopFirst calls a function before the tasks that were started until now stop.
func (g *taskGroup) stopFirst(stop func()) { g.stopFuncs = append(g.stopFuncs, stop) }

// stopAll ends the tasks in reverse order, and waits for each before it ends the next.
func (g *taskGroup) stopAll() {
	for _, stop := range slices.Backward(g.stopFuncs) {
		stop()
	}
}
