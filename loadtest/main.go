// Command loadtest puts an onair server under load and watches that it does not
// lie meanwhile. Anchors start, beat, update, stop and crash; viewers subscribe,
// watch, like, go away, come back with their position and read slowly, in
// numbers: one core drives 15,000 viewers that get and check a diff a second.
//
// What is checked, while it runs:
//
//   - each diff continues at the very position that its viewer is at;
//   - two viewers at one position of a view have the same list, whichever way
//     they came there;
//   - no anchor whose beat was acknowledged is seen to leave before three
//     intervals have passed.
//
// With several nodes of one list all of this holds across them: sockets are
// spread over the nodes, and each new one leads to the next.
//
// And at the end: each viewer's list is that of a fresh snapshot, and each live
// anchor is in it, as its last acknowledged update has it.
//
// Viewers are cheap because they share what they know. A list is immutable, and
// remembers which frame led from it to which other list; a viewer holds one
// pointer to its list. Whoever gets a frame that the list has seen before only
// compares bytes and moves the pointer; the first one decodes, checks and
// applies it. See list.go. All viewers live in one goroutine (crowd.go) around
// epoll, so nothing of theirs is locked; anchors are few and have goroutines of
// their own. docs/loadtest.md says how to run it and what its figures mean.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // a second one ends the process at once
		stop()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
