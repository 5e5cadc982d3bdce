// Package recovery keeps the panic of one handler from ending the process. It counts and
// logs the panic and ends the connection of the handler.
package recovery
