package main

import (
	"fmt"
	"maps"
	"time"

	"onair/hub/wire"
	"onair/loadtest/platform"
	"onair/loadtest/report"
)

// scheduleArrivals connects all viewers, spread over the ramp.
func (l *viewerLoop) scheduleArrivals(ramp time.Duration) {
	for i, v := range l.viewers {
		l.scheduleAction(ramp*time.Duration(i)/time.Duration(len(l.viewers)), v, (*viewerLoop).connectViewer)
	}
}

// startMeasuredPhase begins the measured phase.
func (l *viewerLoop) startMeasuredPhase() {
	l.latencies.resetMeasured()
	l.lagHistogram.Reset()
	l.nextLikeAt = l.now
	if l.options.Likes > 0 {
		l.sendDueLikesOfRandomViewers()
	}
	for i := range l.options.Herds {
		dueAt := l.now + l.options.Duration*time.Duration(i+1)/time.Duration(l.options.Herds+1)
		l.timers.scheduleTimer(timer{dueAt, l.reconnectAllViewers})
	}
}

// sendDueLikesOfRandomViewers sends the likes that are due, each from a random viewer.
func (l *viewerLoop) sendDueLikesOfRandomViewers() {
	if l.isSettling {
		return
	}
	interval := time.Duration(float64(time.Second) / l.options.Likes)
	for ; l.nextLikeAt <= l.now; l.nextLikeAt += interval {
		v := l.viewers[l.rand.IntN(len(l.viewers))]
		code := v.watchedCode
		if code == "" {
			for code = range v.list.entries {
				break
			}
		}
		if v.stage == stageOpen && !v.isSubscribing && code != "" {
			l.sendOrQueueMessage(v, &wire.Like{ID: likeID, Code: code, N: 1 + l.rand.IntN(3)})
			l.counters.Likes++
		}
	}
	l.timers.scheduleTimer(timer{l.nextLikeAt, l.sendDueLikesOfRandomViewers})
}

// reconnectAllViewers cuts the connections of all viewers, which reconnect within
// HerdWindow.
func (l *viewerLoop) reconnectAllViewers() {
	if l.isSettling {
		return
	}
	for _, v := range l.viewers {
		if v.stage == stageClosed {
			continue // its reconnect is scheduled
		}
		l.closeWithoutFrame(v)
		l.scheduleAction(time.Duration(l.rand.Int64N(int64(l.options.HerdWindow)+1)), v, (*viewerLoop).connectViewer)
	}
}

// takeSampleAndDropSilent takes the sample of a second, and disconnects viewers whose
// server is silent.
func (l *viewerLoop) takeSampleAndDropSilent() {
	l.timers.scheduleTimer(timer{l.now + time.Second, l.takeSampleAndDropSilent})
	viewersWithList := 0
	for _, v := range l.viewers {
		silence := l.now - v.receivedAt
		switch {
		case v.stage == stageClosed:
		case v.stage == stageOpen && v.hasList:
			if !v.isReference {
				viewersWithList++
			}
			if l.idleInterval > 0 && silence > l.idleInterval*5/2 && !v.isSlow {
				l.closeAndScheduleReconnect(v, "nothing received for 2.5 idle intervals")
			}
		case silence > l.options.answerTimeout():
			l.closeAndScheduleReconnect(v, "not admitted for "+l.options.answerTimeout().String())
		}
	}
	c, last, second := l.currentCounters(), &l.lastCounters, l.latencies.lastSecond
	sinceLast := l.now - l.lastSampleAt
	s := report.SecondFigures{
		At: l.now.Seconds(), Viewers: viewersWithList, Diffs: c.Diffs - last.Diffs, Bytes: c.Bytes - last.Bytes,
		P50: report.Percentile(second, 50), P99: report.Percentile(second, 99),
		ClientCPU: roundedRatio(c.cpu.process-last.cpu.process, sinceLast), Busy: roundedRatio(c.cpu.busy-last.cpu.busy, sinceLast),
	}
	second.Reset()
	l.lastCounters, l.lastSampleAt = c, l.now
	l.onSample(s, sinceLast)
}

// currentCounters are a copy, with the CPU times of now.
func (l *viewerLoop) currentCounters() viewerCounters {
	c := l.counters
	c.cpu.process, c.cpu.loop = platform.CPUTime()
	return c
}

// startSettling reconnects all viewers, which read at full speed and stay from now on.
func (l *viewerLoop) startSettling() {
	l.isSettling = true
	for _, v := range l.viewers {
		v.attempts = 0
		switch {
		case v.stage == stageClosed:
			v.generation++ // drops its timers
			l.scheduleAction(time.Duration(l.rand.Int64N(int64(time.Second))), v, (*viewerLoop).connectViewer)
		case v.isSlow:
			l.resumeSlowReads(v)
		}
	}
}

// viewersWithoutList is the number of viewers that have no list on their socket.
func (l *viewerLoop) viewersWithoutList() (n int) {
	for _, v := range l.viewers {
		if !v.hasListOnSocket() {
			n++
		}
	}
	return n
}

// openReferences opens the sockets whose fresh snapshots all lists are compared with:
// at each node one for each view, and one for each stream that is watched.
func (l *viewerLoop) openReferences() {
	watchedCodes := map[string]bool{}
	for _, v := range l.viewers {
		if v.watchedCode != "" {
			watchedCodes[v.watchedCode] = true
		}
	}
	for node := range l.options.nodes {
		for _, view := range l.views {
			l.openReference(node, view, "")
		}
		i := 0
		for code := range watchedCodes {
			l.openReference(node, l.views[i%len(l.views)], code)
			i++
		}
	}
}

func (l *viewerLoop) openReference(node int, view *view, watchedCode string) {
	v := &viewer{
		index: int32(len(l.viewers)), view: view, route: route{node: node}, viewerSocket: viewerSocket{fd: -1}, list: view.emptyList,
		viewerTraits: viewerTraits{isReference: true, isWatcher: watchedCode != ""}, watchedCode: watchedCode, shownLists: map[string]*list{},
	}
	l.viewers = append(l.viewers, v)
	l.connectViewer(v)
}

// comparison is the result of comparing viewers with references.
type comparison struct {
	report.Comparison
	differences []string
	freshLists  [][]*list // by view, then node; nil where there is none
}

// compareWithReferences compares all lists with those that a reference had at the same
// position.
func (l *viewerLoop) compareWithReferences() comparison {
	references := references{byPosition: map[string]*list{}}
	if len(l.options.nodes) == 1 && l.ledger.hasManyNodeNames() { // behind a balancer
		references.last = map[string]*list{}
	}
	out := comparison{freshLists: make([][]*list, len(l.views))}
	for i := range out.freshLists {
		out.freshLists[i] = make([]*list, len(l.options.nodes))
	}
	for _, v := range l.viewers {
		if !v.isReference {
			continue
		}
		references.addLists(v)
		for i, view := range l.views {
			if v.view == view && v.hasList {
				out.freshLists[i][v.node] = v.list
			}
		}
	}
	out.differences = nodeDifferences(out.freshLists)
	for _, v := range l.viewers {
		if v.isReference {
			continue
		}
		switch isEqual, difference := v.compareWith(references); {
		case difference != "":
			out.Differ++
			out.differences = append(out.differences, difference)
		case isEqual:
			out.Equal++
		default:
			out.Waiting++
		}
	}
	return out
}

// references are the fresh lists that all lists are compared with.
type references struct {
	byPosition map[string]*list // by view and position

	// last has the last fresh list of each view if a balancer chose the node of the
	// reference. Each node advances a view at its own times, so a viewer of another node
	// may never be at a position of the reference. Then its entries are compared.
	last map[string]*list
}

// addLists adds the lists of a reference.
func (r *references) addLists(reference *viewer) {
	maps.Copy(r.byPosition, reference.shownLists)
	for _, shown := range []*list{reference.list, reference.watchedList} {
		if r.last != nil && shown != nil && reference.hasListOnSocket() {
			r.last[shown.view.id] = shown
		}
	}
}

// nodeDifferences are the differences between the fresh lists of nodes. Each node
// advances a view at its own times, so the entries are compared, not the positions.
func nodeDifferences(freshLists [][]*list) (differences []string) {
	for _, lists := range freshLists {
		for i, other := range lists[1:] {
			if first := lists[0]; first != nil && other != nil {
				if difference := first.entryDifference(other); difference != "" {
					differences = append(differences, fmt.Sprintf("%s at nodes 1 and %d: %s", other.view.id, i+2, difference))
				}
			}
		}
	}
	return differences
}

// compareWith reports whether the lists of a viewer equal those of references, by view
// and position. Without a difference isKnownEqual is false where there is no such reference.
func (v *viewer) compareWith(fresh references) (isKnownEqual bool, difference string) {
	if !v.hasListOnSocket() {
		return false, ""
	}
	isKnownEqual = true
	for _, shown := range []*list{v.list, v.watchedList} {
		if shown == nil || shown.view.watchedCode != "" && len(shown.entries) == 0 {
			continue // a stream that has ended has no fresh view
		}
		if same := fresh.byPosition[shown.view.id+" "+shown.pos]; same == nil {
			last := fresh.last[shown.view.id]
			isKnownEqual = isKnownEqual && last != nil && last.entryDifference(shown) == ""
		} else if difference := same.difference(shown); difference != "" {
			return false, shown.view.id + " at " + shown.pos + ": " + difference
		}
	}
	return isKnownEqual, ""
}
