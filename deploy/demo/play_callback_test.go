package main

import (
	"os/exec"
	"testing"
)

// TestPlayCallbacksAreAccepted: nginx sends callbacks of players to the URL of pushers, and
// cuts a player after a refusal.
func TestPlayCallbacksAreAccepted(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	callbacks := recordCallbacks(t, &set)
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	s.startPush(alice)
	e, _ := s.viewer.entry(alice.Stream.Code)
	player, err := s.startProgram("ffmpeg", exec.Command(
		set.FFmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-i", playURL(e, "rtmp"), "-t", "60", "-f", "null", "-",
	))
	if err != nil {
		t.Fatal(err)
	}
	ctx, release := player.WhileRunning(s.ctx)
	defer release()
	for range 2 {
		update, err := callbacks.awaitCallback(ctx, callbacks.position(), "update_play", alice.Stream.Code, "")
		if err != nil {
			t.Fatal(err)
		}
		if update.status/100 != 2 {
			t.Errorf("the callback of a player has status %d", update.status)
		}
	}
}
