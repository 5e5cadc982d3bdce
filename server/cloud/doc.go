// Package cloud asks clouds and media servers which live codes are pushed, tells
// them to cut or refuse a push, and lists what they have recorded: one client, and
// one file or a few, for each.
//
//   - [Tencent]: Tencent Cloud's API of today (live and VOD).
//   - [TencentLegacy]: the API of its live codes from before 2018.
//   - [SRS]: the HTTP API of SRS.
//   - [NginxRTMP]: the statistics and control pages of nginx-rtmp.
//
// Make a [Budget] for each account, and the client with it. All clients are safe
// for concurrent use. They keep nothing: what an answer means for a stream is for
// others to say.
//
// What must always hold:
//   - A stream is said to be offline only when the provider said so of it, or did
//     not name it in a list that was read to its end. Everything else is an error:
//     no answer, half an answer, one that is not understood.
//   - [ErrRateLimited], [ErrBudgetWait] and [ErrIncomplete] are told apart from other
//     errors, which are failures of the provider or of the way to it.
//   - No request goes out but in its turn of the budget; each is bounded in time,
//     its answer in size, and no redirect is followed.
//   - No error and no printed value holds a key, a signature or a URL.
package cloud
