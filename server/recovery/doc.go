// Package recovery keeps a panic in one handler from ending the process: it counts
// and logs the panic, and the connection ends.
package recovery
