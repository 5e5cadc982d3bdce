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

// story is a broadcaster's evening: what happens, and what a viewer must see
// of it.
type story struct {
	*stage
	viewer *viewer
	alice  *anchor
	first  *wire.Started // the answer to her first start
	push   *program.Program
	calm   mark // from here on nothing must change while the picture plays
}

// step is one thing that happens, and the check that it was seen.
type step struct {
	what string
	play func(context.Context) error
}

// longestStep bounds a step; it is generous, since machines may be loaded.
const longestStep = 30 * time.Second

// errUnseen is why a step gives up.
var errUnseen = errors.New("not seen in time")

// tell plays the story on a stage, and reports whether all of it was seen.
func tell(ctx context.Context, st *stage) (all bool) {
	s := &story{stage: st}
	steps := []step{
		{"a viewer without a token gets the list", s.view},
		{"the anchor starts: the stream is listed as starting", s.start},
		{"a forged push URL is refused", s.forge},
		{"ffmpeg pushes to the signed URL: it is live", s.broadcast},
		{"its HLS play URL shows a picture", s.plays("hls")},
		{"its RTMP play URL shows a picture", s.plays("rtmp")},
		{"ffmpeg is killed: away at once", s.lose},
		{"pushed again in time: live, nothing has ended", s.recover},
		{"killed and left: the stream is lost and leaves the list", s.leave},
		{"the anchor goes live once more", s.restart},
		{"her machine dies: away, and gone after three missed beats", s.die},
		{"it wakes up: its old push is cut, nobody is shown anything", s.wake},
	}
	told, all := make([]string, 0, len(steps)), true
	for i, step := range steps {
		if !all { // each step builds on those before it
			told = append(told, "  – "+step.what)
			continue
		}
		st.say("")
		st.say("%d. %s", i+1, step.what)
		limited, cancel := context.WithTimeoutCause(ctx, longestStep, errUnseen)
		err := step.play(limited)
		cancel()
		if err == nil {
			told = append(told, "  ✓ "+step.what)
			continue
		}
		all = false
		told = append(told, fmt.Sprintf("  ✗ %s: %v", step.what, err))
	}
	if ctx.Err() != nil {
		return false
	}
	st.say("")
	st.say("What was seen:")
	for _, line := range told {
		st.say("%s", line)
	}
	return all
}

func (s *story) view(ctx context.Context) (err error) {
	s.viewer, err = s.look(ctx)
	return err
}

func (s *story) start(ctx context.Context) (err error) {
	from := s.viewer.now()
	s.alice, s.first, err = s.goLive(ctx, "alice", "Alice sings")
	if err != nil {
		return err
	}
	s.say("alice     may push to %s", s.first.Push.RTMP)
	_, err = s.viewer.sees(ctx, from, s.first.Stream.Code, wire.StateStarting)
	return err
}

func (s *story) broadcast(ctx context.Context) error {
	if err := s.pushed(ctx, s.first); err != nil {
		return err
	}
	s.calm = s.viewer.now()
	return nil
}

// pushed starts an encoder, and waits until viewers are shown a live stream.
func (s *story) pushed(ctx context.Context, to *wire.Started) (err error) {
	from := s.viewer.now()
	if s.push, err = s.stage.push(to.Push.RTMP); err != nil {
		return err
	}
	ctx, release := s.push.WhileRunning(ctx)
	defer release()
	if e, _ := s.viewer.entry(to.Stream.Code); e.State == wire.StateLive {
		return nil // a beat was faster than the encoder
	}
	_, err = s.viewer.sees(ctx, from, to.Stream.Code, wire.StateLive)
	return err
}

// plays watches the stream as a viewer does, at the URL that the list gave.
func (s *story) plays(protocol string) func(context.Context) error {
	return func(ctx context.Context) error {
		e, _ := s.viewer.entry(s.first.Stream.Code)
		url := playURL(e, protocol)
		if url == "" {
			return fmt.Errorf("the list has no %s URL", protocol)
		}
		s.say("viewer    plays %s", url)
		seen, err := s.picture(ctx, url)
		if err != nil {
			return err
		}
		s.say("viewer    sees %s", seen)
		return nil
	}
}

// forge pushes to a name that nobody publishes under, so that nothing but its
// signature speaks against it.
func (s *story) forge(ctx context.Context) error {
	url := forged(s.first.Push.RTMP)
	s.say("mallory   pushes to %s", url)
	if err := s.refused(ctx, url); err != nil {
		return err
	}
	s.say("mallory   is refused by nginx")
	return nil
}

// forged changes one character of a URL's signature.
func forged(url string) string {
	before, secret, _ := strings.Cut(url, "txSecret=")
	other := "0"
	if secret[0] == '0' {
		other = "1"
	}
	return before + "txSecret=" + other + secret[1:]
}

func (s *story) lose(ctx context.Context) error {
	s.push.Kill()
	lost := wire.StateAway + ": " + wire.AwayMedia
	if _, err := s.viewer.sees(ctx, s.calm, s.first.Stream.Code, lost); err != nil {
		return err
	}
	if seen := s.viewer.since(s.calm, s.first.Stream.Code)[0]; seen.state != lost {
		return fmt.Errorf("before, it was %q", seen.state)
	}
	return nil
}

func (s *story) recover(ctx context.Context) error {
	from := s.viewer.now()
	if err := s.pushed(ctx, s.first); err != nil {
		return err
	}
	for _, seen := range s.viewer.since(from, s.first.Stream.Code) {
		if seen.state == gone {
			return errors.New("it had left the list")
		}
	}
	return nil
}

func (s *story) leave(ctx context.Context) error {
	from := s.viewer.now()
	s.push.Kill()
	if _, err := s.viewer.sees(ctx, from, s.first.Stream.Code, gone); err != nil {
		return err
	}
	reason, err := s.alice.isTold(ctx)
	if err != nil {
		return err
	}
	if reason != wire.EndStreamLost {
		return fmt.Errorf("she is told %q", reason)
	}
	return s.because(ctx, wire.EndStreamLost)
}

func (s *story) restart(ctx context.Context) (err error) {
	if s.alice, s.first, err = s.goLive(ctx, "alice", "Alice sings again"); err != nil {
		return err
	}
	if err := s.pushed(ctx, s.first); err != nil {
		return err
	}
	return s.alice.isHeard(ctx)
}

// die is a machine that loses its power or its network: no connection is
// closed in order, so the media server believes in the push for a while.
// Only the beats tell.
func (s *story) die(ctx context.Context) error {
	from := s.viewer.now()
	code := s.first.Stream.Code
	s.push.Signal(syscall.SIGSTOP)
	s.alice.drop()
	last := s.alice.lastAck()
	s.say("alice     is cut off; her last beat was acknowledged %.1f s ago", time.Since(last).Seconds())
	if _, err := s.viewer.sees(ctx, from, code, wire.StateAway+": "+wire.AwayMissedBeat); err != nil {
		return err
	}
	end, err := s.viewer.sees(ctx, from, code, gone)
	if err != nil {
		return err
	}
	after := end.at.Sub(last)
	s.say("viewer    saw her go %.1f s after that beat", after.Seconds())
	if least := 3 * s.set.Heartbeat; after < least {
		return fmt.Errorf("she went %v after a beat that was acknowledged: before %v", after, least)
	}
	return s.because(ctx, wire.EndMissedBeats)
}

// because sees that an operator is told that reason for the end.
func (s *story) because(ctx context.Context, reason string) error {
	rule, err := s.asksWhy(ctx, s.first.Stream.Code)
	if err == nil && rule != reason {
		return fmt.Errorf("it ended for %s, not for %s", rule, reason)
	}
	return err
}

// wake lets the encoder go on: the media server has been told meanwhile that
// this push is over.
func (s *story) wake(ctx context.Context) error {
	from := s.viewer.now()
	s.push.Signal(syscall.SIGCONT)
	if err := cut(ctx, s.push); err != nil {
		return err
	}
	if seen := s.viewer.since(from, s.first.Stream.Code); len(seen) > 0 {
		return fmt.Errorf("it became %q", seen[0].state)
	}
	return nil
}
