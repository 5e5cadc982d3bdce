//go:build linux

package main

// runCostScenario compares the server's cost of a delivered frame: through the hub, by
// raw sends on the same sockets, and through the library in a process of its own
// with as many viewers.
func runCostScenario(o options, t *table) error {
	hub, err := startTarget(roleHub, audience{Viewers: o.viewers}, true, nil)
	if err != nil {
		return err
	}
	defer hub.stopAndWait()
	library, err := startTarget(roleLibrary, audience{Viewers: o.viewers}, true, nil)
	if err != nil {
		return err
	}
	defer library.stopAndWait()
	r, err := hub.runCommands(command{Action: "calibrate"})
	if err != nil {
		return err
	}
	for _, s := range []*target{hub, library} {
		if _, err := s.runCommands(command{Action: "set-frame", Frame: r.Frame}); err != nil {
			return err
		}
	}
	f := addCostFigures(o, t)
	for range o.rounds {
		if err := f.measureRound(o, hub, library); err != nil {
			return err
		}
	}
	return recordProfiles(o, hub)
}

// costFigures are the figures of the scenario cost.
type costFigures struct {
	hubToRaw, hubToLibrary, rawToRaw *figure
	hub, raw, library                *figure
	mallocs, delivered, different    *figure
}

func addCostFigures(o options, t *table) *costFigures {
	t.addNote("cost: %d viewers of each server, a diff of %d bytes on the wire, %d diffs in each measurement. Servers share a core; clients have another. "+
		"The library writes in a process of its own, to as many viewers.", o.viewers, frameSize, o.diffs)
	delivered := t.addFigure("cost: delivered of expected, by all three methods", "", 3, 1, noBar)
	delivered.isMinimum = true
	return &costFigures{
		delivered:    delivered,
		different:    t.addFigure("cost: frames of other bytes, or twice to one viewer", "", 0, 0, noBar),
		hubToRaw:     t.addFigure("cost: CPU per frame, hub : raw non-blocking sends on its sockets", "", 2, 1.15, 1.05),
		hubToLibrary: t.addFigure("cost: CPU per frame, hub : the library's Conn.Write with a time-out", "", 2, 0.70, 0.65),
		rawToRaw:     t.addFigure("cost: CPU per frame, raw sends : raw sends", "", 2, noBar, noBar),
		hub:          t.addFigure("cost: CPU per frame, hub", "µs", 2, noBar, noBar),
		raw:          t.addFigure("cost: CPU per frame, raw", "µs", 2, noBar, noBar),
		library:      t.addFigure("cost: CPU per frame, library", "µs", 2, noBar, noBar),
		mallocs:      t.addFigure("cost: allocations per frame, hub", "", 3, 0.01, noBar),
	}
}

// measureRound measures each method once, and raw sends twice.
func (f *costFigures) measureRound(o options, hub, library *target) error {
	var cpu [4]float64
	for i, m := range []struct {
		target *target
		method string
	}{{hub, methodRaw}, {hub, methodHub}, {library, methodLibrary}, {hub, methodRaw}} {
		r, err := m.target.sendFrames(m.method, o.diffs)
		if err != nil {
			return err
		}
		cpu[i] = r.microsecondsPerFrame(r.CPU)
		f.delivered.addValue(r.deliveredShare())
		f.different.addValue(float64(r.Different + r.Extra))
		if m.method == methodHub {
			f.mallocs.addValue(float64(r.Mallocs) / float64(max(1, r.Delivered)))
		}
	}
	raw := (cpu[0] + cpu[3]) / 2
	f.raw.addValue(raw)
	f.hub.addValue(cpu[1])
	f.library.addValue(cpu[2])
	f.hubToRaw.addValue(cpu[1] / raw)
	f.hubToLibrary.addValue(cpu[1] / cpu[2])
	f.rawToRaw.addValue(cpu[3] / cpu[0])
	return nil
}

// recordProfiles writes the profile and the trace that the flags name, in rounds
// that no figure includes.
func recordProfiles(o options, hub *target) error {
	for _, p := range []struct {
		action, file string
		frames       int
	}{{"profile", o.cpuprofile, o.rounds * o.diffs}, {"trace", o.trace, 1}} {
		if p.file == "" {
			continue
		}
		if _, err := hub.runCommands(
			command{Action: p.action, File: p.file},
			command{Action: "send", Method: methodHub, Frames: p.frames},
			command{Action: "stop-profile"},
		); err != nil {
			return err
		}
	}
	return nil
}
