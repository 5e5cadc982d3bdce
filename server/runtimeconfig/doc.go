// Package runtimeconfig has the part of a node that a reload replaces as a whole: the
// configuration, the verifier of tokens, the signers of URLs, the webhook target.
//
// A Store has the Current Config, which does not change. A reload merges the new
// configuration into the one in force (Merge), builds a Config of it (Build), and
// puts that in force (Replace) or gives it up (Discard). Check builds one without a
// node, and NewSigners the signers alone.
//
// Current may be called concurrently with all else; one goroutine at a time reloads.
// Where token keys come from a URL, package auth refreshes them in a goroutine, which
// ends with the context of New or when the keys are replaced.
package runtimeconfig
