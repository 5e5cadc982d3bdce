// Package cloud has clients of clouds and media servers. A client reads which live codes
// are pushed, cuts and forbids pushes, and lists recordings.
//
//   - [Tencent]: Tencent Cloud's current API (live and VOD).
//   - [TencentLegacy]: the API of Tencent's live codes from before 2018.
//   - [SRS]: the HTTP API of SRS.
//   - [NginxRTMP]: the statistics and control pages of nginx-rtmp.
//
// Clients of one account share a [Budget]. All clients are safe for concurrent use, and
// store no state of streams.
//
// Invariants:
//   - A stream is offline only if the provider reports so, or omits it from a list that
//     was read completely. Everything else is an error: no response, an incomplete or
//     malformed one.
//   - [ErrRateLimited], [ErrBudgetWait] and [ErrIncomplete] differ from other errors,
//     which are failures of the provider or of the network.
//   - Each request waits for the budget, has a timeout and a maximum response size, and
//     follows no redirect.
//   - No error and no printed value contains a key, a signature or a URL.
package cloud
