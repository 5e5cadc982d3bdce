// Package response writes HTTP responses: messages of the protocol, JSON, and problems
// (RFC 9457). WriteProblem is the one place where an error becomes an HTTP response.
package response
