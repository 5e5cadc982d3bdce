package poll

import (
	"context"

	"onair/presence"
	"onair/server/cloud"
)

// Provider is who is asked: the methods of one of the clients. Both are called from
// several goroutines. At least one is there.
type Provider struct {
	// ForEachOnline names every stream that is pushed, as it reads of them, and one after the
	// other. After an error, what it has named is online all the same. nil: there is no
	// list.
	ForEachOnline func(ctx context.Context, each func(code string)) error
	// PushState asks for one stream. nil: the list says all there is to say.
	PushState func(ctx context.Context, code string) (cloud.State, error)
	// Budget is the client's, for the metrics.
	Budget *cloud.Budget
}

// Target is a session to ask for.
type Target struct {
	Session presence.Session
	Code    string
	// Matters: that nothing is pushed would count. One for which it would not is asked
	// for by the list alone.
	Matters bool
}

// Status is what was found out of a session.
type Status uint8

// What may be found out.
const (
	Online   Status = iota + 1
	Offline         // also where pushing is forbidden
	NoAnswer        // the cloud gave no answer of this one, and did of others
)

var statusNames = [...]string{Online: "online", Offline: "offline", NoAnswer: "failed"}

// String gives the word that metrics and logs show.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return ""
}

// Result is what was found out of one session.
type Result struct {
	Session presence.Session
	Code    string
	Status  Status
}
