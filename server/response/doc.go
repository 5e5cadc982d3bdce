// Package response writes answers over HTTP: messages of the protocol, JSON, and
// problems (RFC 9457). Statuses maps the protocol's error codes to HTTP statuses, and
// WriteProblem is the one place where errors become answers over HTTP.
package response
