//go:build linux

package main

import "time"

// playMemory measures what viewers cost while they come and while they wait:
// in each round a new server, so that nothing of the past counts.
func playMemory(o options, t *table) error {
	t.note("memory: %d viewers of a new server in each round, each with a view and %d diffs behind it; resident memory less that of the "+
		"server without them, %v after the last diff. A handshake is from the connection to the attached socket; the snapshot has %d streams.",
		o.wide, o.fewer(), lull, streams)
	f := &memories{
		idle:      t.figure("memory: resident per idle viewer, no forced GC", "KiB", 2, 6, 5),
		collected: t.figure("memory: the same after a forced GC (portable reading)", "KiB", 2, 9, none),
		handshake: t.figure("memory: server CPU per handshake", "µs", 1, 75, 45),
		both:      t.figure("memory: server CPU per handshake and subscription", "µs", 1, 75, none),
		delivered: t.figure("memory: delivered of expected", "", 3, 1, none),
	}
	f.delivered.least = true
	for range o.rounds {
		if err := f.round(o); err != nil {
			return err
		}
	}
	return nil
}

// lull is how long viewers are idle before memory is measured.
const lull = time.Second

type memories struct{ idle, collected, handshake, both, delivered *figure }

func (f *memories) round(o options) error {
	var empty *report
	s, err := build(roleHub, crowd{viewers: o.wide, pinned: true}, func(s *site) (err error) {
		empty, err = s.order(order{Do: "memory"})
		return err
	})
	if err != nil {
		return err
	}
	defer s.stop()
	perViewer := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.wide) }
	f.handshake.add(perViewer(s.handshake))
	f.both.add(perViewer(s.handshake + s.subscribe))
	r, err := s.fan(wayHub, o.fewer())
	if err != nil {
		return err
	}
	f.delivered.add(float64(r.Delivered) / float64(r.Expected))
	wait := lull
	if o.quick {
		wait = 0
	}
	if _, err := s.order(order{Do: "rest", For: wait}); err != nil {
		return err
	}
	for _, m := range []struct {
		first string
		to    *figure
	}{{"", f.idle}, {"collect", f.collected}} {
		if m.first != "" {
			if _, err := s.order(order{Do: m.first}); err != nil {
				return err
			}
		}
		if r, err = s.order(order{Do: "memory"}); err != nil {
			return err
		}
		m.to.add(float64(r.Resident-empty.Resident) / 1024 / float64(o.wide))
	}
	return nil
}
