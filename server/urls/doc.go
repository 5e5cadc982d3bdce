// Package urls signs the push, play and playback URLs that clients get, by the
// configuration in force, and counts them by use.
package urls
