// Package runtimeconfig holds the parts of a node that a reload replaces together: the
// configuration, the verifier of tokens, the signers of URLs and the webhook endpoint.
//
// Store.Current returns the current Config, which is immutable. A reload merges the loaded
// configuration into the current one (config.MergeReloadable), builds a Config from it (Build),
// and makes it current (Replace) or discards it (Discard). TryBuildOffline builds a Config without a
// node. NewSigners makes the signers alone. VerifyToken and VerifyBearerToken verify tokens with
// the current keys, and count the results.
//
// Current may be called concurrently with everything; reloads must not be concurrent. If
// token keys come from a URL, package auth refreshes them in a goroutine, which ends with the
// context of New or when the keys are replaced.
package runtimeconfig
