package main

import (
	"testing"
	"testing/synctest"

	"onair/hub/wire"
	"onair/server/auth"
)

// TestTranscodedCodes: nobody takes the live code under which another's stream is
// played transcoded.
func TestTranscodedCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTest(t, "--play.templates", "hd=550")
		s.call("POST", "/v1/streams", s.day(auth.Anchor, "alice_550"), `{"title":"x"}`).refused(400, wire.CodeBadRequest)
		for _, anchor := range []string{"550", "alice550", "alice_5500", "alice"} {
			s.begin(s.day(auth.Anchor, anchor), `{"title":"x"}`)
		}
	})
}
