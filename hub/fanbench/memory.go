//go:build linux

package main

import "time"

// runMemoryScenario measures the cost of viewers while they connect and while they are
// idle. Each round has a new server, without memory from earlier ones.
func runMemoryScenario(o options, t *table) error {
	t.addNote("memory: %d viewers of a new server in each round, each with a view that has sent %d diffs. Memory is resident memory minus that of the "+
		"server without viewers, %v after the last diff. A handshake is from the connection to the attached socket. The snapshot has %d streams.",
		o.wide, o.thirdOfDiffs(), idleTime, streams)
	f := &memoryFigures{
		idleViewer:       t.addFigure("memory: resident per idle viewer, no forced GC", "KiB", 2, 6, 5),
		idleAfterGC:      t.addFigure("memory: resident per idle viewer, after a forced GC (portable reading)", "KiB", 2, 9, noBar),
		handshake:        t.addFigure("memory: server CPU per handshake", "µs", 1, 75, 45),
		withSubscription: t.addFigure("memory: server CPU per handshake and subscription", "µs", 1, 75, noBar),
		delivered:        t.addFigure("memory: delivered of expected", "", 3, 1, noBar),
	}
	f.delivered.isMinimum = true
	for range o.rounds {
		if err := f.measureRound(o); err != nil {
			return err
		}
	}
	return nil
}

// idleTime is how long viewers are idle before the measurement.
const idleTime = time.Second

// memoryFigures are the figures of the scenario memory.
type memoryFigures struct{ idleViewer, idleAfterGC, handshake, withSubscription, delivered *figure }

func (f *memoryFigures) measureRound(o options) error {
	var empty *report
	s, err := startTarget(roleHub, audience{Viewers: o.wide}, true, func(s *target) (err error) {
		empty, err = s.runCommands(command{Action: "memory"})
		return err
	})
	if err != nil {
		return err
	}
	defer s.stopAndWait()
	perViewer := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.wide) }
	f.handshake.addValue(perViewer(s.handshakes))
	f.withSubscription.addValue(perViewer(s.handshakes + s.subscriptions))
	r, err := s.sendFrames(methodHub, o.thirdOfDiffs())
	if err != nil {
		return err
	}
	f.delivered.addValue(r.deliveredShare())
	wait := idleTime
	if o.quick {
		wait = 0
	}
	for _, m := range []struct {
		first  command
		figure *figure
	}{{command{Action: "sleep", Duration: wait}, f.idleViewer}, {command{Action: "collect"}, f.idleAfterGC}} {
		if r, err = s.runCommands(m.first, command{Action: "memory"}); err != nil {
			return err
		}
		m.figure.addValue(float64(r.Resident-empty.Resident) / 1024 / float64(o.wide))
	}
	return nil
}
