package socket

import "time"

// instant is a time since the process began: a third of the size of a
// time.Time, of which each socket would keep several.
type instant = time.Duration

var began = time.Now()

func now() instant { return time.Since(began) }

// timeOf is the zero time for 0.
func timeOf(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return began.Add(i)
}
