package cloud

import (
	"errors"
	"fmt"
)

// ErrRateLimited is returned when a provider says that it is asked too often, also
// after some tries at a lower rate. It says nothing of a stream.
var ErrRateLimited = errors.New("cloud: the provider is asked too often")

// ErrBudgetWait is returned when the context ended before it was the request's turn:
// nobody was asked.
var ErrBudgetWait = errors.New("cloud: the time was over before its turn came")

// ErrIncomplete is returned when a list is not all there is: it changed while it was
// read, or is longer than the provider shows. What it named is true, and of the rest
// nothing is known.
var ErrIncomplete = errors.New("cloud: the list is not complete")

// errMalformed is returned for an answer that is not what the provider documents.
var errMalformed = errors.New("cloud: the answer is not understood")

// apiError is what a provider answers instead of doing as it was asked.
type apiError struct {
	action string
	code   string // the provider's word or number for what is wrong
}

// Error names the call and the provider's code. What it writes for people besides
// is left out: it may repeat parts of the request.
func (r *apiError) Error() string {
	return fmt.Sprintf("cloud: %s is refused with %.64q", r.action, r.code)
}
