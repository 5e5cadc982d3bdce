// Package flight records what the process did before the list was late.
//
// A Recorder keeps an execution trace of the last seconds in memory. The hub calls
// Record with a latency that is over the limit, and Run writes the trace to a file
// for go tool trace, at most one every five minutes. ServeHTTP answers with the
// present trace. A nil Recorder is off.
//
// The runtime allows one recorder for each process, and one writer at a time. The
// caller of Run owns its goroutine.
package flight
