package rest_test

import (
	"testing"
	"testing/synctest"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestTranscodedCodes: nobody takes the live code under which another's stream is
// played transcoded.
func TestTranscodedCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--play.templates", "hd=550")
		s.Call("POST", "/v1/streams", s.DayToken(auth.Anchor, "alice_550"), `{"title":"x"}`).RequireProblem(400, wire.CodeBadRequest)
		for _, anchor := range []string{"550", "alice550", "alice_5500", "alice"} {
			s.StartStream(s.DayToken(auth.Anchor, anchor), `{"title":"x"}`)
		}
	})
}
