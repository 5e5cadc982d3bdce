//go:build linux

package main

// playCost compares what a delivered frame costs a server: through the hub, by
// raw sends on the same sockets, and through the library in a process of its
// own, with as many viewers.
func playCost(o options, t *table) error {
	hub, err := build(roleHub, crowd{viewers: o.viewers, pinned: true}, nil)
	if err != nil {
		return err
	}
	defer hub.stop()
	library, err := build(roleLibrary, crowd{viewers: o.viewers, pinned: true}, nil)
	if err != nil {
		return err
	}
	defer library.stop()
	r, err := hub.order(order{Do: "size"})
	if err != nil {
		return err
	}
	for _, s := range []*site{hub, library} {
		if _, err := s.order(order{Do: "keep", Frame: r.Frame}); err != nil {
			return err
		}
	}
	f := costFigures(o, t)
	for range o.rounds {
		if err := f.round(o, hub, library); err != nil {
			return err
		}
	}
	return observe(o, hub)
}

// costs are the figures of the scene cost.
type costs struct {
	overRaw, overLibrary, noise *figure
	hub, raw, library           *figure
	mallocs, delivered, odd     *figure
}

func costFigures(o options, t *table) *costs {
	t.note("cost: %d viewers each, a diff of %d bytes on the wire, %d in each measurement; servers share a core, clients another. "+
		"The library writes in a process of its own, to as many viewers.", o.viewers, frameSize, o.diffs)
	delivered := t.figure("cost: delivered of expected, in all three ways", "", 3, 1, none)
	delivered.least = true
	return &costs{
		delivered:   delivered,
		odd:         t.figure("cost: frames of other bytes, or twice to one viewer", "", 0, 0, none),
		overRaw:     t.figure("cost: CPU per frame, hub : raw non-blocking sends on its sockets", "", 2, 1.15, 1.05),
		overLibrary: t.figure("cost: CPU per frame, hub : the library's Conn.Write with a time-out", "", 2, 0.70, 0.65),
		noise:       t.figure("cost: the same, raw sends : raw sends", "", 2, none, none),
		hub:         t.figure("cost: CPU per frame, hub", "µs", 2, none, none),
		raw:         t.figure("cost: CPU per frame, raw", "µs", 2, none, none),
		library:     t.figure("cost: CPU per frame, the library", "µs", 2, none, none),
		mallocs:     t.figure("cost: allocations per frame, hub", "", 3, 0.01, none),
	}
}

// round measures all ways once, and the raw one twice.
func (f *costs) round(o options, hub, library *site) error {
	var cpu [4]float64
	for i, turn := range []struct {
		at  *site
		way string
	}{{hub, wayRaw}, {hub, wayHub}, {library, wayLibrary}, {hub, wayRaw}} {
		r, err := turn.at.fan(turn.way, o.diffs)
		if err != nil {
			return err
		}
		cpu[i] = r.perFrame(r.CPU)
		f.delivered.add(float64(r.Delivered) / float64(r.Expected))
		f.odd.add(float64(r.Odd + r.Extra))
		if turn.way == wayHub {
			f.mallocs.add(float64(r.Mallocs) / float64(max(1, r.Delivered)))
		}
	}
	raw := (cpu[0] + cpu[3]) / 2
	f.raw.add(raw)
	f.hub.add(cpu[1])
	f.library.add(cpu[2])
	f.overRaw.add(cpu[1] / raw)
	f.overLibrary.add(cpu[1] / cpu[2])
	f.noise.add(cpu[3] / cpu[0])
	return nil
}

// observe writes the profile and the trace that were asked for, in rounds that
// count for nothing.
func observe(o options, hub *site) error {
	for _, e := range []struct {
		do, file string
		times    int
	}{{"profile", o.cpuprofile, o.rounds * o.diffs}, {"trace", o.trace, 1}} {
		if e.file == "" {
			continue
		}
		if _, err := hub.order(order{Do: e.do, File: e.file}); err != nil {
			return err
		}
		if _, err := hub.fan(wayHub, e.times); err != nil {
			return err
		}
		if _, err := hub.order(order{Do: "stop"}); err != nil {
			return err
		}
	}
	return nil
}
