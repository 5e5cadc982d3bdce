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
	stops  []func()
	failed chan struct{} // closed when the first task fails

	once    sync.Once
	failure error // the first one; set before failed is closed
}

func newTaskGroup() *taskGroup { return &taskGroup{failed: make(chan struct{})} }

// run starts a task that runs until its context ends.
func (g *taskGroup) run(task func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	g.start(func() error { return task(ctx) }, cancel)
}

// start starts a task that runs until it is ended by end.
func (g *taskGroup) start(task func() error, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := task(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			g.once.Do(func() { g.failure = err; close(g.failed) })
		}
	}()
	g.stops = append(g.stops, func() { end(); <-done })
}

// stop ends the tasks, the last one first, each before the one that started before it.
func (g *taskGroup) stop() {
	for _, stop := range slices.Backward(g.stops) {
		stop()
	}
}
