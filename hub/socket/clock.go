package socket

import "time"

// instant is the time since the start of the process. It has a third of the size
// of a time.Time, and each socket keeps several.
type instant = time.Duration

var processStart = time.Now()

func now() instant { return time.Since(processStart) }

// timeOrZero converts an instant; 0 gives the zero time.
func timeOrZero(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return processStart.Add(i)
}
