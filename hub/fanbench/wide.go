//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// runWideScenario measures latency where server and client share all cores, and the
// effect of slow viewers on the others.
func runWideScenario(o options, t *table) error {
	slow := o.wide / 10
	s, err := startTarget(roleHub, audience{Viewers: o.wide, SlowCandidates: slow, SlowBuffer: slowBuffer}, false, nil)
	if err != nil {
		return err
	}
	defer s.stopAndWait()
	if _, err := s.runCommands(command{Action: "calibrate"}); err != nil {
		return err
	}
	w := &wideScenario{options: o, target: s, slowViewers: slow}
	w.addFigures(t)
	if w.memoryBefore, err = s.runCommands(command{Action: "memory"}); err != nil {
		return err
	}
	for i := range o.rounds {
		if err := w.measureRound(i); err != nil {
			return err
		}
	}
	return nil
}

// slowBuffer is the receive buffer of slow viewers in bytes. Without a bound the
// kernel would give each of them megabytes, at the viewer's end.
const slowBuffer = 16 << 10

// quietTime is how long no frame may come before all viewers count as up to
// date.
const quietTime = 100 * time.Millisecond

type wideScenario struct {
	options      options
	target       *target
	slowViewers  int
	memoryBefore *report
	behaviours   []*readBehaviour

	allP99, fastP99, noneToNone                                *figure
	delivered, clientCPU                                       *figure
	stoppedViewer, serverBuffers, viewerBuffers, allTCPBuffers *figure
}

// readBehaviour is how some of the viewers read.
type readBehaviour struct {
	slowViewers int
	readRate    int     // of the slow viewers, in bytes a second
	ratio       *figure // of the others' p99; nil: there are no slow viewers
}

func (w *wideScenario) addFigures(t *table) {
	t.addNote("wide: %d viewers, nothing pinned, %d diffs in each measurement. The client only reads and records times. "+
		"Slow viewers are in the same tenth of all viewers. A diff of %d KiB that only this tenth gets fills their buffers first. "+
		"The p99 is that of the other nine tenths, divided by their p99 without slow viewers.", w.options.wide, w.options.thirdOfDiffs(), fillSize>>10)
	t.addNote("wide: memory of a stopped viewer is the growth since before the first round: the server's resident memory, and "+
		"the kernel's buffers by SO_MEMINFO. The viewer's end has at most %d KiB of receive buffer here, which a distant server does not hold. "+
		"For comparison, the growth of /proc/net/sockstat.", 2*slowBuffer>>10)
	w.allP99 = t.addFigure("wide: p99 from Apply to the viewer", "ms", 0, 200, 150)
	w.delivered = t.addFigure("wide: delivered of expected", "", 3, 1, noBar)
	w.delivered.isMinimum = true
	w.clientCPU = t.addFigure("wide: the client's CPU per frame", "µs", 2, 5, noBar)
	w.fastP99 = t.addFigure("wide: p99 of nine tenths of the viewers", "ms", 0, noBar, noBar)
	for _, b := range []struct {
		name     string
		percent  int
		readRate int
	}{{}, {"1 % stopped", 1, 0}, {"10 % stopped", 10, 0}, {}, {"1 % at 1 KB/s", 1, 1000}, {"10 % at 1 KB/s", 10, 1000}} {
		behaviour := &readBehaviour{slowViewers: w.options.wide * b.percent / 100, readRate: b.readRate}
		if b.name != "" {
			behaviour.ratio = t.addFigure("wide: p99 of the others with "+b.name+" : with none", "", 2, 1.3, 1.15)
		}
		w.behaviours = append(w.behaviours, behaviour)
	}
	w.noneToNone = t.addFigure("wide: p99 with none : with none", "", 2, noBar, noBar)
	w.stoppedViewer = t.addFigure("wide: memory of a stopped viewer: server, and buffers of both ends", "KiB", 1, 100, noBar)
	w.serverBuffers = t.addFigure("wide: of it, buffers of the server's end", "KiB", 1, noBar, noBar)
	w.viewerBuffers = t.addFigure("wide: of it, buffers of the viewer's end", "KiB", 1, noBar, noBar)
	w.allTCPBuffers = t.addFigure("wide: all TCP buffers of the machine, for comparison", "KiB", 1, noBar, noBar)
}

// measureRound measures each behaviour once, without slow viewers twice. Each
// round begins with another one.
func (w *wideScenario) measureRound(firstBehaviour int) error {
	p99 := make([]float64, len(w.behaviours))
	var p99WithNone []float64
	for i := range w.behaviours {
		i = (i + firstBehaviour) % len(w.behaviours)
		b := w.behaviours[i]
		p, err := w.measureBehaviour(b)
		if err != nil {
			return fmt.Errorf("%d slow viewers, %d B/s: %w", b.slowViewers, b.readRate, err)
		}
		p99[i] = p
		if b.ratio == nil {
			p99WithNone = append(p99WithNone, p)
		}
	}
	base := (p99WithNone[0] + p99WithNone[1]) / 2
	w.fastP99.addValue(base)
	w.noneToNone.addValue(p99WithNone[1] / p99WithNone[0])
	for i, b := range w.behaviours {
		if b.ratio != nil {
			b.ratio.addValue(p99[i] / base)
		}
	}
	return nil
}

// measureBehaviour measures the fast viewers' p99 in milliseconds under a behaviour.
// The large diff goes to the whole slow tenth, and the measurement begins when
// those that read have it. So only the behaviours differ.
func (w *wideScenario) measureBehaviour(b *readBehaviour) (p99 float64, err error) {
	wait := time.Duration(0)
	if b.readRate > 0 && !w.options.quick {
		wait = time.Second // each slow viewer has read something
	}
	r, err := w.target.runCommands(
		command{Action: "slow", SlowViewers: b.slowViewers, ReadRate: b.readRate},
		command{Action: "fill-buffers"},
		command{Action: "quiet", Duration: quietTime},
		command{Action: "sleep", Duration: wait},
		command{Action: "send", Method: methodHub, Frames: w.options.thirdOfDiffs(), OnlyFast: true},
	)
	if err != nil {
		return 0, err
	}
	w.delivered.addValue(r.deliveredShare())
	if b.slowViewers == w.slowViewers && b.readRate == 0 {
		if err := w.measureStoppedViewerMemory(); err != nil {
			return 0, err
		}
	}
	if err := w.resumeAndAwaitRecovery(); err != nil {
		return 0, err
	}
	if b.ratio == nil {
		err = w.measureAllViewersP99()
	}
	return milliseconds(median(r.FastP99)), err
}

// measureAllViewersP99 measures the p99 of all viewers.
func (w *wideScenario) measureAllViewersP99() error {
	r, err := w.target.sendFrames(methodHub, w.options.thirdOfDiffs())
	if err != nil {
		return err
	}
	w.delivered.addValue(r.deliveredShare())
	w.clientCPU.addValue(r.microsecondsPerFrame(r.ClientCPU))
	w.allP99.addValue(milliseconds(median(r.P99)))
	return nil
}

// measureStoppedViewerMemory measures memory while all slow viewers have stopped.
func (w *wideScenario) measureStoppedViewerMemory() error {
	m, err := w.target.runCommands(command{Action: "memory"})
	if err != nil {
		return err
	}
	perViewer := func(bytes int64) float64 { return float64(bytes) / 1024 / float64(w.slowViewers) }
	server, viewers := m.ServerBuffers-w.memoryBefore.ServerBuffers, m.ViewerBuffers-w.memoryBefore.ViewerBuffers
	w.serverBuffers.addValue(perViewer(server))
	w.viewerBuffers.addValue(perViewer(viewers))
	w.allTCPBuffers.addValue(perViewer(m.AllTCPBuffers - w.memoryBefore.AllTCPBuffers))
	w.stoppedViewer.addValue(perViewer(m.Resident - w.memoryBefore.Resident + server + viewers))
	return nil
}

// resumeAndAwaitRecovery has all viewers read, and waits until each gets each diff.
func (w *wideScenario) resumeAndAwaitRecovery() error {
	if _, err := w.target.runCommands(command{Action: "slow"}); err != nil {
		return err
	}
	for range 10 {
		r, err := w.target.runCommands(
			command{Action: "quiet", Duration: quietTime}, command{Action: "send", Method: methodHub, Frames: 1},
		)
		if err != nil {
			return err
		}
		if r.Delivered == r.Expected && r.Extra == 0 {
			return nil
		}
	}
	return errors.New("slow viewers did not recover when they read again")
}

func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
