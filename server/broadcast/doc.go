// Package broadcast has what anchors do to their broadcasts, for sockets and HTTP
// alike: it checks starts and updates, appends them to the log, and waits for the
// answer.
//
// Make a Service of a node that has joined the log. NewStart and NewUpdate return
// commands; Do appends one; Renew renews a lease by its session; Sync waits until
// the node has applied what is in the log. All errors are those of the protocol
// (*wire.Error): this is the one place where errors of the log, and refusals of the
// registry, become answers. CodeOf returns the code of one.
//
// The service also counts beats and what encoders report, and detects sessions that
// expired although their anchors were alive.
//
// It starts no goroutines, and may be used concurrently.
package broadcast
