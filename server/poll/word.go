package poll

import (
	"context"

	"onair/presence"
	"onair/server/cloud"
)

// Cloud is who is asked: the methods of one of the clients. Both are called from
// several goroutines. At least one is there.
type Cloud struct {
	// Online names every stream that is pushed, as it reads of them, and one after the
	// other. After an error, what it has named is online all the same. nil: there is no
	// list.
	Online func(ctx context.Context, each func(code string)) error
	// State asks for one stream. nil: the list says all there is to say.
	State func(ctx context.Context, code string) (cloud.State, error)
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

// Say is what was found out of a session.
type Say uint8

// What may be found out.
const (
	Online  Say = iota + 1
	Offline     // also where pushing is forbidden
	Failed      // the cloud gave no answer of this one, and did of others
)

var sayNames = [...]string{Online: "online", Offline: "offline", Failed: "failed"}

// String gives the word that metrics and logs show.
func (s Say) String() string {
	if int(s) < len(sayNames) {
		return sayNames[s]
	}
	return ""
}

// Word is what was found out of one session.
type Word struct {
	Session presence.Session
	Code    string
	Say     Say
}
