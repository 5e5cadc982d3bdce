// Package broadcast has the operations of anchors on their broadcasts, for sockets and HTTP
// alike. It checks starts and updates, appends them to the log, and waits for the results.
//
// Make a Service for a node that has joined the log. NewStart and NewUpdate return
// commands, and Do appends one. RenewLease renews a lease by its session. Sync waits until
// the node has applied the log. All errors are errors of the protocol (*wire.Error): here
// the errors of the log and the refusals of the registry become such errors.
//
// The service also finds recordings in the registry and in the archive, and adds new ones
// through the log (recordings.go), for callbacks, HTTP calls and the leader. It counts beats, encoder statistics and false expiries.
//
// It starts no goroutines, and may be used concurrently.
package broadcast
