// Package flight records execution traces of the seconds before a late diff.
//
// A Recorder holds the trace of the last seconds in memory. The hub calls TriggerLateDiffTrace
// when a diff was late, and Run writes the trace to a file for go tool trace, at most once
// in five minutes. ServeHTTP answers with the present trace. A nil Recorder is off.
//
// The runtime allows one recorder in a process, and one writer at a time.
package flight
