// Package recordings finds recordings, in the registry and in the archive, and adds
// new ones through the log. Callbacks, calls over HTTP and the leader share it.
package recordings
