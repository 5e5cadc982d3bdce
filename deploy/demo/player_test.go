package main

import (
	"os/exec"
	"testing"
)

// nginx reports its players as it reports its pushers, to the same URL, and
// cuts those for whom the answer is no. Who watches must not be cut.
func TestPlayerGoesOn(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	heard := listen(t, &set)
	s := newScene(t, set)
	_, alice := s.starts("alice")
	s.pushes(alice)
	e, _ := s.viewer.entry(alice.Stream.Code)
	player, err := s.spawn("ffmpeg", exec.Command(
		set.FFmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-i", playURL(e, "rtmp"), "-t", "60", "-f", "null", "-",
	))
	if err != nil {
		t.Fatal(err)
	}
	ctx, release := player.WhileRunning(s.ctx)
	defer release()
	for range 2 {
		told, err := heard.answered(ctx, heard.now(), "update_play", alice.Stream.Code, "")
		if err != nil {
			t.Fatal(err)
		}
		if told.status/100 != 2 {
			t.Errorf("nginx reports a player, and onair answers %d", told.status)
		}
	}
}
