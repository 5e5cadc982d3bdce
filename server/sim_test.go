package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"onair/presence"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/config"
)

var (
	simSeed  = flag.Uint64("sim.seed", 1, "the first seed of TestSimulation")
	simSeeds = flag.Int("sim.seeds", 0, "how many seeds TestSimulation runs, 0: a few")
	simOnly  = flag.String("sim.class", "ab", "the classes of faults that TestSimulation runs")
	simTrace = flag.String("sim.trace", "", "where to write the traces of runs that fail")
)

// result is what came of a run.
type simResult struct {
	faults []violation
	digest uint64
	trace  string
}

// simulate runs one seed.
func simulate(t *testing.T, class simClass, seed uint64) (res simResult) {
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, class, seed)
		w.run()
		w.oracle.mu.Lock()
		defer w.oracle.mu.Unlock()
		res = simResult{w.oracle.faults, w.trace.digest(), w.trace.last(1 << 30)}
	})
	return res
}

func newWorld(t *testing.T, class simClass, seed uint64) *world {
	cfg, err := config.Load([]string{
		"--auth.secret", processSecret, "--viewer.anonymous=true", "--node", "n", "--data", "memory",
		"--heartbeat.interval", simInterval.String(), "--idle", "5s", "--drain", "2s",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, seed: seed, class: class, cfg: cfg, began: time.Now(), over: make(chan struct{})}
	w.rng = w.lot("faults " + class.name)
	w.oracle = newOracle(w)
	w.redis = redismodel.New(redismodel.Options{Seed: seed, TrimNode: 10, Appended: w.oracle.appended})
	w.snapshots = []redislog.Options{
		{SnapshotEvery: 5 * time.Second, SnapshotAge: 15 * time.Second},
		{SnapshotEvery: 3 * time.Second, SnapshotAge: 4 * time.Second},
		{},
	}[w.rng.IntN(3)]
	for i := range 3 {
		w.hosts = append(w.hosts, newHost(w, i))
	}
	for i := range 8 {
		w.anchors = append(w.anchors, newAnchor(w, i))
	}
	for i := range 6 {
		w.viewers = append(w.viewers, newViewer(w, i))
	}
	return w
}

// run lives through it.
func (w *world) run() {
	for _, h := range w.hosts {
		time.Sleep(between(w.rng, 0, 500*time.Millisecond))
		h.start()
	}
	time.Sleep(4 * time.Second)
	for _, a := range w.anchors {
		w.people.Go(a.run)
	}
	for _, v := range w.viewers {
		w.people.Go(v.run)
	}
	time.Sleep(4 * time.Second)
	w.vex()
	time.Sleep(simClear - w.since())
	w.clear()
	time.Sleep(simEnd - w.since())
	w.verdict()
	close(w.over)
	w.people.Wait()
	var nodes []*simNode
	for _, h := range w.hosts {
		if n := h.end(false); n != nil {
			nodes = append(nodes, n)
		}
	}
	for _, n := range nodes {
		<-n.done
	}
}

// verdict checks what must be so after the quiet.
func (w *world) verdict() {
	o := w.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	var newest *simState
	for _, h := range w.hosts {
		n := h.running()
		if n == nil || n.server() == nil || n.server().node.Held() || n.server().node.Holding() {
			o.fault("not-well", "%s is not well at the end", h.name)
			continue
		}
		if st := o.at[n]; newest == nil || st.name.num > newest.name.num {
			newest = st
		}
	}
	if newest == nil {
		return
	}
	for _, h := range w.hosts {
		if n := h.running(); n != nil && !slices.EqualFunc(o.at[n].streams, newest.streams, sameStream) && newest.name.num-o.at[n].name.num > 20 {
			o.fault("diverged", "%v is behind at the end", n)
		}
	}
	w.checkSessions(newest)
	for _, v := range w.viewers {
		if v.state == nil || time.Since(v.state.written) > 8*time.Second {
			o.fault("wrong-list", "%s is behind at the end", v.name)
		}
	}
}

// checkSessions compares the list at the end with what anchors were promised.
func (w *world) checkSessions(end *simState) {
	o := w.oracle
	listed := map[presence.Session]*presence.Stream{}
	for _, st := range end.streams {
		listed[st.Session] = st
	}
	for _, s := range o.sessions {
		st := listed[s.Session]
		switch live := o.alive(s); {
		case st == nil && live && end.written.Sub(s.began) > time.Second:
			o.fault("lost-start", "%v is not on the list at the end", s)
		case st != nil && !live && time.Since(s.last()) > 25*time.Second && (s.leaving.IsZero() || time.Since(s.leaving) > 25*time.Second):
			o.fault("late-end", "%v is still on the list at the end", s)
		case st != nil && live:
			w.checkStream(s, st)
		}
	}
	for _, st := range end.streams {
		if o.find(st.Session) == nil {
			o.fault("late-end", "%s is on the list at the end, and its anchor does not know it", st.Code)
		}
	}
}

// checkStream compares what is known of a session with what was promised.
func (w *world) checkStream(s *simSession, st *presence.Stream) {
	o := w.oracle
	if !slices.Contains(s.titles, st.Title) {
		o.fault("lost-update", "%v is called %q at the end, and was renamed to %q", s, st.Title, s.titles)
	}
	liked := int64(0)
	for n, likes := range s.likes {
		if !n.stopped {
			liked += likes
		}
	}
	if st.Likes < liked || st.Likes > o.likes[s.code] {
		o.fault("likes", "%v has %d likes, of %d that living nodes acknowledged and %d in all", s, st.Likes, liked, o.likes[s.code])
	}
	watching := int64(0)
	for _, v := range w.viewers {
		if v.code == s.code {
			watching++
		}
	}
	if st.Viewers != watching {
		o.fault("viewers", "%v has %d viewers at the end, not %d", s, st.Viewers, watching)
	}
}

// TestSimulation runs seeds of every class.
func TestSimulation(t *testing.T) {
	seeds := *simSeeds
	if seeds == 0 {
		seeds = 10
	}
	for _, class := range simClasses {
		if !strings.Contains(*simOnly, class.name) {
			continue
		}
		t.Run(class.name, func(t *testing.T) {
			kinds, bad := map[string]int{}, 0
			for seed := *simSeed; seed < *simSeed+uint64(seeds); seed++ {
				res := simulate(t, class, seed)
				if len(res.faults) == 0 {
					continue
				}
				bad++
				seen := map[string]bool{}
				for _, f := range res.faults {
					if !seen[f.kind] {
						kinds[f.kind]++
						seen[f.kind] = true
						t.Errorf("seed %d of class %s: %s: %s", seed, class.name, f.kind, f.text)
					}
				}
				if *simTrace != "" {
					name := fmt.Sprintf("%s/%s-%d.txt", *simTrace, class.name, seed)
					if err := os.WriteFile(name, []byte(res.trace), 0o644); err != nil {
						t.Error(err)
					}
				}
			}
			t.Logf("class %s: %d seeds from %d, %d with violations: %v", class.name, seeds, *simSeed, bad, kinds)
		})
	}
}
