package socket

import "time"

// workerPool runs callbacks in goroutines that it reuses.
type workerPool struct {
	tasks chan func()
	done  chan struct{} // closed to end the workers
}

func newWorkerPool() workerPool { return workerPool{make(chan func()), make(chan struct{})} }

// idleWorkerTimeout is the time for which an idle worker waits for a task.
const idleWorkerTimeout = 10 * time.Second

// runInWorker passes a task, which may block, to an idle worker or a new one.
func (p *workerPool) runInWorker(task func()) {
	select {
	case p.tasks <- task:
	default:
		go p.runWorker(task)
	}
}

func (p *workerPool) runWorker(firstTask func()) {
	timer := time.NewTimer(idleWorkerTimeout)
	defer timer.Stop()
	for task := firstTask; ; {
		task()
		timer.Reset(idleWorkerTimeout)
		select {
		case task = <-p.tasks:
		case <-timer.C:
			return
		case <-p.done:
			return
		}
	}
}
