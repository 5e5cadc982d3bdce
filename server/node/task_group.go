package node

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
)

// taskGroup runs tasks: they start in order, and stop in reverse order. The goroutine
// that starts them stops them.
type taskGroup struct {
	stopFuncs []func()
	failed    chan struct{} // closed when the first task fails

	once    sync.Once
	failure error // the first one; set before failed is closed
}

func newTaskGroup() *taskGroup { return &taskGroup{failed: make(chan struct{})} }

// runUntilCanceled starts a task that runs until its context ends.
func (g *taskGroup) runUntilCanceled(task func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	g.startTask(func() error { return task(ctx) }, cancel)
}

// startTask starts a task that runs until it is ended by end.
func (g *taskGroup) startTask(task func() error, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := task(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			g.once.Do(func() { g.failure = err; close(g.failed) })
		}
	}()
	g.stopFuncs = append(g.stopFuncs, func() { end(); <-done })
}

// stopAll ends the tasks, the last one first, each before the one that started before it.
func (g *taskGroup) stopAll() {
	for _, stop := range slices.Backward(g.stopFuncs) {
		stop()
	}
}
