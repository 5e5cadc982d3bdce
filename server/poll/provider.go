package poll

import (
	"context"

	"onair/presence"
	"onair/server/cloud"
)

// Provider holds the query methods of a provider's client. Both are called concurrently.
// At least one is set.
type Provider struct {
	// ForEachOnline calls yield with the live code of every push while it reads the list,
	// one at a time. After an error, the codes yielded are online still. nil: no list.
	ForEachOnline func(ctx context.Context, yield func(code string)) error

	// PushState returns the state of one stream. nil: the list is the only query.
	PushState func(ctx context.Context, code string) (cloud.State, error)

	// Budget is that of the client, for the metrics.
	Budget *cloud.Budget
}

// Target is a session to poll.
type Target struct {
	Session       presence.Session
	Code          string
	OfflineCounts bool // Offline would have an effect; otherwise only the list is used
}

// Status is the result of polling a session.
type Status uint8

// The results.
const (
	Online   Status = iota + 1
	Offline         // also if pushes are forbidden
	NoAnswer        // the provider answered queries about other sessions, but not this one
)

var statusNames = [...]string{Online: "online", Offline: "offline", NoAnswer: "failed"}

// String returns the name of the status in metrics and logs.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return ""
}

// Result is the polled status of one session.
type Result struct {
	Session presence.Session
	Code    string
	Status  Status
}
