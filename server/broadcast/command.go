package broadcast

import (
	"context"
	"errors"
	"time"

	"onair/hub/wire"
	"onair/presence"
	presencenode "onair/presence/node"
)

// commandTimeout is the time after which the result of a command is unknown.
const commandTimeout = 10 * time.Second

// Do appends a command to the log and returns its result. It returns an error of the
// protocol when the registry refuses the command, when nothing was written, or when the
// result is unknown.
func (s *Service) Do(ctx context.Context, command presence.Command) (presence.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	result, err := s.node.Do(ctx, command)
	return s.checkResult(result, err)
}

// RenewLease renews the lease of a session, as a beat does. isPending reports that the beat
// may not reach the log. It returns the errors of Do.
func (s *Service) RenewLease(ctx context.Context, session presence.Session) (result presence.Result, isPending bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	result, isPending, err = s.node.BeatSession(ctx, session)
	result, err = s.checkResult(result, err)
	return result, isPending, err
}

// Sync waits until this node has applied all entries that were in the log at the call. It
// returns the errors of Do.
func (s *Service) Sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	_, err := s.checkResult(presence.Result{}, s.node.Sync(ctx))
	return err
}

// checkResult converts an error of the node, or the refusal in a result, to an error of the
// protocol.
func (s *Service) checkResult(result presence.Result, err error) (presence.Result, error) {
	switch {
	case errors.Is(err, presencenode.ErrUnavailable):
		return result, &wire.Error{Code: wire.CodeUnavailable, Message: "the server cannot write at present: nothing was changed, try again"}
	case err != nil:
		return result, &wire.Error{Code: wire.CodeUnknown, Message: "no result in time: the request may still take effect, repeat it with the same key"}
	case result.Refusal != presence.Granted:
		if result.Refusal == presence.SessionGone && result.Ended != nil {
			s.CountIfFalseExpiry(result.Ended)
		}
		return result, NewRefusalError(&result)
	}
	return result, nil
}

// refusalMessages are the messages for clients.
var refusalMessages = map[presence.Refusal]string{
	presence.AlreadyLive:  "this anchor is live on another device",
	presence.CodeTaken:    "another live session has this live code",
	presence.SessionGone:  "the session is not the live one",
	presence.AnchorBanned: "this anchor is banned",
	presence.NotOwner:     "the session belongs to another anchor",
	presence.Superseded:   "the session is attached to another socket now: resume it to move it here",
}

// NewRefusalError is the error of the protocol for a refused command.
func NewRefusalError(result *presence.Result) error {
	e := &wire.Error{Code: wire.ErrorCode(result.Refusal.String()), Message: refusalMessages[result.Refusal]}
	if result.Refusal == presence.SessionGone && result.Ended != nil {
		e.Reason, e.Summary = result.Ended.Reason.String(), Summary(result.Ended)
	}
	return e
}

// WireErrorCode is the code of an error of the protocol, "" for other errors and nil.
func WireErrorCode(err error) wire.ErrorCode {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}
