package poll

import (
	"context"

	"onair/server/cloud"
)

// Provider holds the query methods of a provider's client. Both are called concurrently.
// At least one is set.
type Provider struct {
	// ForEachOnline calls yield with the live code of every push while it reads the list,
	// one at a time. After an error, the codes yielded are online still. nil: no list.
	ForEachOnline func(ctx context.Context, yield func(code string)) error

	// IsOnline returns whether there is a push to a live code. nil: the list is the only query.
	IsOnline func(ctx context.Context, code string) (isOnline bool, err error)

	// Budget is that of the client, for the metrics.
	Budget *cloud.Budget
}
