// Package urls signs the push, play and recording URLs that clients get, with the signers of
// the current configuration, and counts them by use.
package urls
