// Package certificate has the certificate of TLS in the process. A Watcher looks at
// its files while clients connect, and keeps the last good certificate when they
// cannot be read. Replace changes the files, as a reload does.
package certificate
