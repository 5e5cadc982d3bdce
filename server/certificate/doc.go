// Package certificate loads the TLS certificate of the process. A Watcher checks its files
// while clients connect, and serves the last valid certificate if they cannot be read. Replace
// changes the paths of the files.
package certificate
