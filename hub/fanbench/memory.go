//go:build linux

package main

import "time"

// runMemory measures the cost of viewers while they connect and while they are
// idle. Each round has a new server, without memory from earlier ones.
func runMemory(o options, t *table) error {
	t.addNote("memory: %d viewers of a new server in each round, each with a view that has sent %d diffs. Memory is resident memory minus that of the "+
		"server without viewers, %v after the last diff. A handshake is from the connection to the attached socket. The snapshot has %d streams.",
		o.wide, o.fewerDiffs(), idleTime, streams)
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
	s, err := startTarget(roleHub, audience{viewers: o.wide, pinned: true}, func(s *target) (err error) {
		empty, err = s.run(command{Action: "memory"})
		return err
	})
	if err != nil {
		return err
	}
	defer s.stop()
	perViewer := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.wide) }
	f.handshake.add(perViewer(s.handshakes))
	f.withSubscription.add(perViewer(s.handshakes + s.subscriptions))
	r, err := s.sendFrames(methodHub, o.fewerDiffs())
	if err != nil {
		return err
	}
	f.delivered.add(r.deliveredShare())
	wait := idleTime
	if o.quick {
		wait = 0
	}
	if _, err := s.run(command{Action: "sleep", Duration: wait}); err != nil {
		return err
	}
	for _, m := range []struct {
		firstAction string
		figure      *figure
	}{{"", f.idleViewer}, {"collect", f.idleAfterGC}} {
		if m.firstAction != "" {
			if _, err := s.run(command{Action: m.firstAction}); err != nil {
				return err
			}
		}
		if r, err = s.run(command{Action: "memory"}); err != nil {
			return err
		}
		m.figure.add(float64(r.Resident-empty.Resident) / 1024 / float64(o.wide))
	}
	return nil
}
