package broadcast

import (
	"context"
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
)

// commandTimeout is how long a command may take before its answer is "unknown".
const commandTimeout = 10 * time.Second

// Do appends a command and waits for its result in the log. The error is one of
// the protocol.
func (s *Service) Do(ctx context.Context, c presence.Command) (presence.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	result, err := s.node.Do(ctx, c)
	return s.checkResult(result, err)
}

// RenewLease renews the lease of a session by its id, as a beat does. isPending is true when
// the beat is not in the log yet.
func (s *Service) RenewLease(ctx context.Context, session presence.Session) (result presence.Result, isPending bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	result, isPending, err = s.node.BeatSession(ctx, session)
	result, err = s.checkResult(result, err)
	return result, isPending, err
}

// Sync waits until this node has applied all that is in the log by now.
func (s *Service) Sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	_, err := s.checkResult(presence.Result{}, s.node.Sync(ctx))
	return err
}

// checkResult makes an error of the protocol of what failed, and of what the
// registry refused.
func (s *Service) checkResult(result presence.Result, err error) (presence.Result, error) {
	switch {
	case errors.Is(err, presencenode.ErrUnavailable):
		return result, &wire.Error{Code: wire.CodeUnavailable, Message: "the server cannot write at present; nothing was changed, try again"}
	case err != nil:
		return result, &wire.Error{Code: wire.CodeUnknown, Message: "no answer came in time; it may yet take effect, repeat with the same key"}
	case result.Refusal != presence.Granted:
		if result.Refusal == presence.SessionGone && result.Ended != nil {
			s.CountFalseExpiry(result.Ended)
		}
		return result, RefusalError(&result)
	}
	return result, nil
}

// refusalMessages are the sentences for what the registry refuses.
var refusalMessages = map[presence.Refusal]string{
	presence.AlreadyLive:  "this anchor is live on another device",
	presence.CodeTaken:    "another live session has this live code",
	presence.SessionGone:  "the session is not the live one",
	presence.AnchorBanned: "this anchor is banned",
	presence.NotOwner:     "the session belongs to another anchor",
	presence.Superseded:   "the session has moved to another socket meanwhile; if it is to move here, ask again",
}

// RefusalError is what a client gets for a command that the registry refused.
func RefusalError(result *presence.Result) error {
	e := &wire.Error{Code: wire.ErrorCode(result.Refusal.String()), Message: refusalMessages[result.Refusal]}
	if result.Refusal == presence.SessionGone && result.Ended != nil {
		e.Reason, e.Summary = result.Ended.Reason.String(), Summary(result.Ended)
	}
	return e
}

// ErrorCode returns the code of an error of the protocol, "" for any other.
func ErrorCode(err error) wire.ErrorCode {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}
