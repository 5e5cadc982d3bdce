// Package recordings finds recordings in the registry and in the archive, and adds new ones
// through the log. Callbacks, HTTP calls and the leader use it.
package recordings
