//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// playWide measures how late viewers are where server and client share the
// cores, and what some that do not read do to the others.
func playWide(o options, t *table) error {
	shy := o.wide / 10
	s, err := build(roleHub, crowd{viewers: o.wide, shy: shy, buffer: shyBuffer}, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.order(order{Do: "size"}); err != nil {
		return err
	}
	w := &wide{options: o, site: s, shy: shy}
	w.figures(t)
	if w.before, err = s.order(order{Do: "memory"}); err != nil {
		return err
	}
	for i := range o.rounds {
		if err := w.round(i); err != nil {
			return err
		}
	}
	return nil
}

// shyBuffer is the receive buffer of viewers that may stop reading. Without a
// limit the kernel would give each of them megabytes, at the viewer's end.
const shyBuffer = 16 << 10

// calm is for how long nothing comes once all have what there is.
const calm = 100 * time.Millisecond

type wide struct {
	options options
	site    *site
	shy     int
	before  *report

	all, spared, noise       *figure
	delivered, client        *figure
	whole, ours, theirs, tcp *figure
	habits                   []*habit
}

// habit is how some of the viewers read.
type habit struct {
	still int
	rate  int     // bytes a second
	to    *figure // nil: all read what there is
}

func (w *wide) figures(t *table) {
	t.note("wide: %d viewers, nothing pinned, %d diffs in each measurement. The client reads and stamps, no more. "+
		"Those that stop or dawdle are of the same tenth of viewers, whose buffers are first filled with a diff of %d KiB that only they get; "+
		"the p99 is that of the other nine tenths, divided by the p99 of the same viewers when all read.", w.options.wide, w.options.fewer(), fillSize>>10)
	t.note("wide: memory of a viewer that has stopped is what has grown since before the first round, when all read: the server's resident memory, and "+
		"the kernel's buffers by the sockets' own account (SO_MEMINFO). The viewer's end has at most %d KiB of receive buffer here, which a distant server does not pay for. "+
		"For comparison, the growth of /proc/net/sockstat.", 2*shyBuffer>>10)
	w.all = t.figure("wide: p99 from Apply to the viewer", "ms", 0, 200, 150)
	w.delivered = t.figure("wide: delivered of expected", "", 3, 1, none)
	w.delivered.least = true
	w.client = t.figure("wide: the client's CPU per frame", "µs", 2, 5, none)
	w.spared = t.figure("wide: the same of nine tenths of the viewers", "ms", 0, none, none)
	for _, h := range []struct {
		name    string
		percent int
		rate    int
	}{{}, {"1 % stopped", 1, 0}, {"10 % stopped", 10, 0}, {}, {"1 % at 1 KB/s", 1, 1000}, {"10 % at 1 KB/s", 10, 1000}} {
		habit := &habit{still: w.options.wide * h.percent / 100, rate: h.rate}
		if h.name != "" {
			habit.to = t.figure("wide: p99 of the others with "+h.name+" : with none", "", 2, 1.3, 1.15)
		}
		w.habits = append(w.habits, habit)
	}
	w.noise = t.figure("wide: the same with none : with none", "", 2, none, none)
	w.whole = t.figure("wide: memory of a viewer that has stopped: server, and buffers of both ends", "KiB", 1, 100, none)
	w.ours = t.figure("wide: of it, buffers of the server's end", "KiB", 1, none, none)
	w.theirs = t.figure("wide: of it, buffers of the viewer's end", "KiB", 1, none, none)
	w.tcp = t.figure("wide: all TCP buffers of the machine, for comparison", "KiB", 1, none, none)
}

// round measures with each habit, and begins with another one each time. With
// none of the viewers still it measures twice.
func (w *wide) round(first int) error {
	p99 := make([]float64, len(w.habits))
	var none []float64
	for i := range w.habits {
		i = (i + first) % len(w.habits)
		h := w.habits[i]
		p, err := w.with(h)
		if err != nil {
			return fmt.Errorf("%d viewers still, %d B/s: %w", h.still, h.rate, err)
		}
		p99[i] = p
		if h.to == nil {
			none = append(none, p)
		}
	}
	base := (none[0] + none[1]) / 2
	w.spared.add(base)
	w.noise.add(none[1] / none[0])
	for i, h := range w.habits {
		if h.to != nil {
			h.to.add(p99[i] / base)
		}
	}
	return nil
}

// with measures while some viewers have a habit. The burst goes to all of that
// tenth, and the measurement begins when those that read have it: so only the
// habits differ.
func (w *wide) with(h *habit) (p99 float64, err error) {
	wait := time.Duration(0)
	if h.rate > 0 && !w.options.quick {
		wait = time.Second // each has read something
	}
	for _, o := range []order{
		{Do: "pace", Still: h.still, Rate: h.rate},
		{Do: "burst"},
		{Do: "quiet", For: calm},
		{Do: "rest", For: wait},
	} {
		if _, err := w.site.order(o); err != nil {
			return 0, err
		}
	}
	r, err := w.site.order(order{Do: "fan", Way: wayHub, Times: w.options.fewer(), Spare: true})
	if err != nil {
		return 0, err
	}
	w.delivered.add(float64(r.Delivered) / float64(r.Expected))
	if h.still == w.shy && h.rate == 0 {
		if err := w.weigh(); err != nil {
			return 0, err
		}
	}
	if err := w.recover(); err != nil {
		return 0, err
	}
	if h.to == nil {
		return milliseconds(median(r.SparedP99)), w.everyone()
	}
	return milliseconds(median(r.SparedP99)), nil
}

// everyone measures how late all viewers are.
func (w *wide) everyone() error {
	r, err := w.site.fan(wayHub, w.options.fewer())
	if err != nil {
		return err
	}
	w.delivered.add(float64(r.Delivered) / float64(r.Expected))
	w.client.add(r.perFrame(r.Client))
	w.all.add(milliseconds(median(r.P99)))
	return nil
}

// weigh measures memory while all shy viewers have stopped.
func (w *wide) weigh() error {
	m, err := w.site.order(order{Do: "memory"})
	if err != nil {
		return err
	}
	each := func(bytes int64) float64 { return float64(bytes) / 1024 / float64(w.shy) }
	ours, theirs := m.Sockets-w.before.Sockets, m.Peers-w.before.Peers
	w.ours.add(each(ours))
	w.theirs.add(each(theirs))
	w.tcp.add(each(m.TCP - w.before.TCP))
	w.whole.add(each(m.Resident - w.before.Resident + ours + theirs))
	return nil
}

// recover has all viewers read, until each gets each diff.
func (w *wide) recover() error {
	if _, err := w.site.order(order{Do: "pace"}); err != nil {
		return err
	}
	for range 10 {
		if _, err := w.site.order(order{Do: "quiet", For: calm}); err != nil {
			return err
		}
		r, err := w.site.fan(wayHub, 1)
		if err != nil {
			return err
		}
		if r.Delivered == r.Expected && r.Extra == 0 {
			return nil
		}
	}
	return errors.New("viewers that read again did not recover")
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
