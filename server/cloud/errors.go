package cloud

import (
	"errors"
	"fmt"
)

// ErrRateLimited is returned when a provider rejects requests for their rate, even after
// a few attempts at a lower rate. It contains no information about a stream.
var ErrRateLimited = errors.New("cloud: rate limited by the provider")

// ErrBudgetWait is returned when the context ended before the budget permitted the
// request. No request was sent.
var ErrBudgetWait = errors.New("cloud: context ended before the budget permitted the request")

// ErrIncomplete is returned when a list changed while it was read, or is longer than the
// provider's limit. The items read are valid; nothing is known about others.
var ErrIncomplete = errors.New("cloud: incomplete list")

// errMalformed is returned for a response that differs from the provider's documentation.
var errMalformed = errors.New("cloud: malformed response")

// apiError is an error that a provider's API returned.
type apiError struct {
	action string
	code   string // the provider's error code
}

// Error returns the call and the provider's code. It omits the provider's message, which
// may contain parts of the request.
func (e *apiError) Error() string {
	return fmt.Sprintf("cloud: %s failed: code %.64q", e.action, e.code)
}
