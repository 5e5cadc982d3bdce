package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"onair/deploy/program"
	"onair/hub/wire"
)

// scenario is the state of the demo's steps.
type scenario struct {
	*environment
	viewer       *viewer
	alice        *anchor
	started      *wire.Started // the reply to alice's last start
	push         *program.Program
	livePosition int // the viewer's position when the stream was live
}

// step is one action, and the check of its effects.
type step struct {
	title string
	run   func(context.Context) error
}

// stepTimeout bounds a step. It is long, because machines may be busy.
const stepTimeout = 2 * time.Minute

var errStepTimeout = errors.New("timed out")

func (s *scenario) steps() []step {
	return []step{
		{"a viewer without a token gets the list", s.subscribe},
		{"the anchor starts: the stream is listed as starting", s.startSession},
		{"a forged push URL is refused", s.pushForgedURL},
		{"ffmpeg pushes to the signed URL: the stream becomes live", s.startBroadcast},
		{"the HLS play URL plays", s.play("hls")},
		{"the RTMP play URL plays", s.play("rtmp")},
		{"ffmpeg is killed: the stream is away at once", s.killEncoder},
		{"ffmpeg pushes again in time: the same session becomes live again", s.restartEncoder},
		{"ffmpeg is killed for good: the stream is lost and leaves the list", s.loseStream},
		{"the anchor starts a second session", s.startSecondSession},
		{"the anchor's machine fails: the stream is away, and leaves the list after three missed beats", s.failMachine},
		{"the machine works again: its old push is cut, and the list does not change", s.resumeMachine},
	}
}

// runScenario runs the steps until one fails, and prints the results.
func runScenario(ctx context.Context, env *environment) (passed bool) {
	s := &scenario{environment: env}
	var results []string
	passed = true
	for i, step := range s.steps() {
		if !passed { // each step depends on the earlier ones
			results = append(results, "  – "+step.title)
			continue
		}
		s.printf("")
		s.printf("%d. %s", i+1, step.title)
		stepCtx, cancel := context.WithTimeoutCause(ctx, stepTimeout, errStepTimeout)
		err := step.run(stepCtx)
		cancel()
		if err == nil {
			results = append(results, "  ✓ "+step.title)
			continue
		}
		passed = false
		results = append(results, fmt.Sprintf("  ✗ %s: %v", step.title, err))
	}
	if ctx.Err() != nil {
		return false
	}
	s.printf("")
	s.printf("Results:")
	for _, line := range results {
		s.printf("%s", line)
	}
	return passed
}

func (s *scenario) subscribe(ctx context.Context) (err error) {
	s.viewer, err = s.startViewer(ctx)
	return err
}

func (s *scenario) startSession(ctx context.Context) (err error) {
	position := s.viewer.position()
	s.alice, s.started, err = s.startAnchor(ctx, "alice", "Alice sings")
	if err != nil {
		return err
	}
	s.printf("alice     may push to %s", s.started.Push.RTMP)
	_, err = s.viewer.awaitState(ctx, position, s.started.Stream.Code, wire.StateStarting)
	return err
}

func (s *scenario) startBroadcast(ctx context.Context) error {
	if err := s.pushUntilLive(ctx); err != nil {
		return err
	}
	s.livePosition = s.viewer.position()
	return nil
}

// pushUntilLive starts an encoder, and waits until the viewer's list has a live stream.
func (s *scenario) pushUntilLive(ctx context.Context) (err error) {
	position := s.viewer.position()
	if s.push, err = s.startEncoder(s.started.Push.RTMP); err != nil {
		return err
	}
	ctx, cancel := s.push.WhileRunning(ctx)
	defer cancel()
	if e, _ := s.viewer.entry(s.started.Stream.Code); e.State == wire.StateLive {
		return nil // a beat came before the push
	}
	_, err = s.viewer.awaitState(ctx, position, s.started.Stream.Code, wire.StateLive)
	return err
}

// play plays the play URL of the viewer's list.
func (s *scenario) play(protocol string) func(context.Context) error {
	return func(ctx context.Context) error {
		e, _ := s.viewer.entry(s.started.Stream.Code)
		url := playURL(e, protocol)
		if url == "" {
			return fmt.Errorf("the list has no %s URL", protocol)
		}
		s.printf("viewer    plays %s", url)
		format, err := s.awaitVideo(ctx, url)
		if err != nil {
			return err
		}
		s.printf("viewer    gets video: %s", format)
		return nil
	}
}

// pushForgedURL pushes under a free name, so that only the signature can be the reason of
// the refusal.
func (s *scenario) pushForgedURL(ctx context.Context) error {
	url := withWrongSignature(s.started.Push.RTMP)
	s.printf("mallory   pushes to %s", url)
	if err := s.expectRefused(ctx, url); err != nil {
		return err
	}
	s.printf("mallory   is refused by nginx")
	return nil
}

// withWrongSignature changes one character of a URL's signature.
func withWrongSignature(url string) string {
	before, secret, _ := strings.Cut(url, "txSecret=")
	other := "0"
	if secret[0] == '0' {
		other = "1"
	}
	return before + "txSecret=" + other + secret[1:]
}

func (s *scenario) killEncoder(ctx context.Context) error {
	s.push.Kill()
	away := wire.StateAway + ": " + wire.AwayMedia
	if _, err := s.viewer.awaitState(ctx, s.livePosition, s.started.Stream.Code, away); err != nil {
		return err
	}
	if first := s.viewer.changesSince(s.livePosition, s.started.Stream.Code)[0]; first.state != away {
		return fmt.Errorf("it was %q before", first.state)
	}
	return nil
}

func (s *scenario) restartEncoder(ctx context.Context) error {
	position := s.viewer.position()
	if err := s.pushUntilLive(ctx); err != nil {
		return err
	}
	for _, c := range s.viewer.changesSince(position, s.started.Stream.Code) {
		if c.state == removed {
			return errors.New("the stream left the list")
		}
	}
	return nil
}

func (s *scenario) loseStream(ctx context.Context) error {
	position := s.viewer.position()
	s.push.Kill()
	if _, err := s.viewer.awaitState(ctx, position, s.started.Stream.Code, removed); err != nil {
		return err
	}
	reason, err := s.alice.awaitEnded(ctx)
	if err != nil {
		return err
	}
	if reason != wire.EndStreamLost {
		return fmt.Errorf("the anchor receives the reason %q, want %q", reason, wire.EndStreamLost)
	}
	return s.checkReason(ctx, wire.EndStreamLost)
}

func (s *scenario) startSecondSession(ctx context.Context) (err error) {
	if s.alice, s.started, err = s.startAnchor(ctx, "alice", "Alice sings again"); err != nil {
		return err
	}
	if err := s.pushUntilLive(ctx); err != nil {
		return err
	}
	return s.alice.awaitFirstAck(ctx)
}

// failMachine simulates a machine without power or network: no connection is closed, so
// the media server reports the end of the push late. Only the missing beats reveal it.
func (s *scenario) failMachine(ctx context.Context) error {
	position := s.viewer.position()
	code := s.started.Stream.Code
	s.push.Signal(syscall.SIGSTOP)
	s.alice.closeAbruptly()
	lastAck := s.alice.lastAckTime()
	s.printf("alice     loses power, %.1f s after the last ack", time.Since(lastAck).Seconds())
	if _, err := s.viewer.awaitState(ctx, position, code, wire.StateAway+": "+wire.AwayMissedBeat); err != nil {
		return err
	}
	end, err := s.viewer.awaitState(ctx, position, code, removed)
	if err != nil {
		return err
	}
	after := end.at.Sub(lastAck)
	s.printf("viewer    lost the stream %.1f s after that ack", after.Seconds())
	if least := 3 * s.settings.Heartbeat; after < least {
		return fmt.Errorf("the stream left the list %v after an acknowledged beat, want at least %v", after, least)
	}
	return s.checkReason(ctx, wire.EndMissedBeats)
}

// checkReason compares the rule that ended the stream.
func (s *scenario) checkReason(ctx context.Context, want string) error {
	rule, err := s.queryWhy(ctx, s.started.Stream.Code)
	if err == nil && rule != want {
		return fmt.Errorf("the session ended by %s, want %s", rule, want)
	}
	return err
}

// resumeMachine continues the encoder, whose push the media server must cut by now.
func (s *scenario) resumeMachine(ctx context.Context) error {
	position := s.viewer.position()
	s.push.Signal(syscall.SIGCONT)
	if err := awaitCut(ctx, s.push); err != nil {
		return err
	}
	if changes := s.viewer.changesSince(position, s.started.Stream.Code); len(changes) > 0 {
		return fmt.Errorf("the stream became %q", changes[0].state)
	}
	return nil
}
