package socket

import "time"

// labour is goroutines that run what sockets have woken for.
type labour struct {
	work chan func()
	done chan struct{} // closed when they are to end
}

func newLabour() labour { return labour{make(chan func()), make(chan struct{})} }

// spare is how long a goroutine of the poller's waits for more to do.
const spare = 10 * time.Second

// run has f run by a goroutine that has nothing to do, or a new one: what f
// does may block.
func (l *labour) run(f func()) {
	select {
	case l.work <- f:
	default:
		go l.toil(f)
	}
}

func (l *labour) toil(f func()) {
	timer := time.NewTimer(spare)
	defer timer.Stop()
	for {
		f()
		timer.Reset(spare)
		select {
		case f = <-l.work:
		case <-timer.C:
			return
		case <-l.done:
			return
		}
	}
}
