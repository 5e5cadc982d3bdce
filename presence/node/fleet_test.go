package node

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

// fleet is three nodes on one log, and what their views show.
type fleet struct {
	t     *testing.T
	log   *memoryLog
	nodes map[string]*Node
	stops map[string]func() error

	mu     sync.Mutex      // guards all below
	frozen map[string]bool // by node: between OnFreeze and OnRebuilt
	shown  map[string]bool // by node and code
	gone   []string        // codes that views removed
}

var crew = []string{"a", "b", "c"}

func newFleet(t *testing.T, l *memoryLog, maxRules uint64) *fleet {
	f := &fleet{t: t, log: l, nodes: map[string]*Node{}, stops: map[string]func() error{}, frozen: map[string]bool{}, shown: map[string]bool{}}
	for _, name := range crew {
		f.runNode(name, maxRules)
	}
	f.sleep(3500)
	return f
}

// runNode starts a node that has rules up to a version.
func (f *fleet) runNode(name string, maxRules uint64) {
	f.t.Helper()
	f.nodes[name], f.stops[name] = runNode(f.t, f.log, Config{
		Name: name, Shared: true, maxRules: maxRules,
		OnFreeze: func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.frozen[name] = true
		},
		OnRebuilt: func(r *presence.Registry) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.frozen[name] = false
			f.showList(name, r)
		},
		OnApplied: func(a Applied) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if a.Frozen != f.frozen[name] {
				f.t.Errorf("%s: frozen is %v, an entry has %v", name, f.frozen[name], a.Frozen)
			}
			for _, c := range a.Changes {
				if f.frozen[name] {
					break
				}
				if c.New != nil {
					f.shown[name+c.New.Code] = true
				} else {
					delete(f.shown, name+c.Old.Code)
					f.gone = append(f.gone, c.Old.Code)
				}
			}
		},
	})
}

func (f *fleet) isFrozen(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frozen[name]
}

// goneSince returns the codes that views removed, without the first ones.
func (f *fleet) goneSince(since int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.gone[since:])
}

func (f *fleet) isShown(name, code string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown[name+code]
}

// showList makes the views of a node show a whole list.
func (f *fleet) showList(name string, r *presence.Registry) {
	for key := range f.shown {
		if key[:1] == name && r.StreamByCode(key[1:]) == nil {
			delete(f.shown, key)
			f.gone = append(f.gone, key[1:])
		}
	}
	for st := range r.Streams() {
		f.shown[name+st.Code] = true
	}
}

func (f *fleet) sleep(ms int) {
	time.Sleep(time.Duration(ms)*time.Millisecond + time.Microsecond)
	synctest.Wait()
}

func (f *fleet) mustDo(name string, c presence.Command) presence.Result {
	f.t.Helper()
	r, err := f.nodes[name].Do(f.t.Context(), c)
	if err != nil {
		f.t.Fatalf("%T through %s: %v", c, name, err)
	}
	synctest.Wait()
	return r
}

// numEntries is the number of entries in the log.
func (f *fleet) numEntries() int {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	return len(f.log.entries)
}

// requireAgreement fails unless all nodes have the same list, and returns it.
func (f *fleet) requireAgreement(names ...string) (r *presence.Registry) {
	f.t.Helper()
	for _, name := range names {
		f.nodes[name].Read(func(have *presence.Registry) {
			check(f.t, name+" has read as far", have.LastNum(), uint64(f.numEntries()))
			if r == nil {
				var err error
				if r, err = presence.DecodeRegistry(have.Encode()); err != nil {
					f.t.Fatal(err)
				}
			}
			requireEqual(f.t, name, have, r)
		})
		check(f.t, name+" is frozen", f.isFrozen(name), false)
	}
	return r
}
