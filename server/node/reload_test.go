package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/config"
	"onair/server/nodetest"
)

// TestReload: keys, limits and the log level change while sockets stay; what
// cannot change is said; a bad configuration changes nothing.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--push.key", "one", "--hooks.nginx-rtmp.enabled", "true")
		viewer, alice := s.DialViewer(""), s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
		old := nodetest.URLQuery(nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP)
		now := time.Now().Unix()

		s.Node.ReloadConfig(t.Context(), nodetest.FailLoadConfig)
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, "--auth.public-key", "nonsense"))
		if err := s.Node.Runtime.Current().PushSigner.Verify("8888_alice", old, now); err != nil {
			t.Errorf("a bad configuration changed the key: %v", err)
		}

		other := "another secret of thirty-two bytes or more"
		s.Node.ReloadConfig(t.Context(), func() (*config.Config, error) {
			return config.Load([]string{
				"--auth.secrets", "a=" + other + ",b=" + nodetest.TokenSecret, "--viewer.anonymous=false",
				"--push.key", "two", "--push.backup-key", "one", "--play.key", "play", "--limits.window", "7", "--limits.sockets-per-address", "3",
				"--node", "n1", "--data", "memory", "--log.level", "error", "--heartbeat.interval", "7s", "--hooks.nginx-rtmp.enabled", "true",
			}, nil)
		})
		log := s.Log()
		if !strings.Contains(log, `"keys":["heartbeat.interval"]`) || strings.Contains(log, other) {
			t.Errorf("the log says %s", log)
		}
		fresh := nodetest.URLQuery(nodetest.RequestReply[*wire.Pushed](alice, &wire.PushRequest{ID: alice.NextID()}).Push.RTMP)
		for _, query := range []string{old, fresh} {
			if err := s.Node.Runtime.Current().PushSigner.Verify("8888_alice", query, now); err != nil {
				t.Errorf("a push URL of before or after: %v", err)
			}
		}
		if fresh == old {
			t.Error("the new key signs nothing")
		}
		s.Call("GET", "/v1/streams", "", "").RequireProblem(401, wire.CodeUnauthorized)
		token, err := auth.SignToken([]byte(other), "a", auth.Identity{Subject: "x", Role: auth.Viewer}, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s.Call("GET", "/v1/streams?limit=7", token, "").RequireStatus(200)
		s.Call("GET", "/v1/streams?limit=8", token, "").RequireProblem(400, wire.CodeBadRequest)
		nodetest.RequestReply[*wire.Ack](alice, &wire.Beat{ID: alice.NextID(), N: 1}) // sockets that are in stay
		viewer.AwaitView("live", func(l *wire.ClientView) bool { return nodetest.StateInView(l, "8888_alice") == "live" })
		quiet := s.Log()
		s.Call("GET", "/v1/streams", "nonsense", "").RequireStatus(401) // a warning
		if s.Log() != quiet {
			t.Error("the log level did not change")
		}
		third := s.Dial("/v1/viewer", token)
		third.ReceiveWelcome()
		if code, _ := s.Dial("/v1/viewer", token).AwaitClose(); code != wire.CloseTooManySockets {
			t.Errorf("over the new limit: closed with %d", code)
		}
	})
}

// TestReloadKeepsMadeUpSecrets: a development server that reads its
// configuration again must not forget its own tokens.
func TestReloadKeepsMadeUpSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		old := nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""}).Push.RTMP
		s.Node.ReloadConfig(t.Context(), func() (*config.Config, error) { return config.Load(nil, nil) })
		s.Call("GET", "/v1/streams", s.DayToken(auth.Viewer, "bob"), "").RequireStatus(200)
		if err := s.Node.Runtime.Current().PushSigner.Verify("8888_alice", nodetest.URLQuery(old), time.Now().Unix()); err != nil {
			t.Error(err)
		}
	})
}

// TestReloadTakesOver: a reload applies values beside a generated secret, and fails if a
// configured secret is no longer configured.
func TestReloadTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--push.key", "one")
		s.Node.ReloadConfig(t.Context(), func() (*config.Config, error) {
			return config.Load([]string{"--auth.secret", nodetest.TokenSecret, "--play.key", "play"}, nil)
		})
		if log := s.Log(); !strings.Contains(log, "push.key: no longer configured") {
			t.Errorf("a key that is gone: %s", log)
		}
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, "--push.key", "one", "--push.backup-key", "zero", "--play.backup-key", "two",
			"--hooks.nginx-rtmp.enabled", "true"))
		if cfg := s.Node.Runtime.Current(); cfg.Push.BackupKey.Reveal() != "zero" || cfg.Play.BackupKey.Reveal() != "two" {
			t.Error("the backup keys are as they were")
		}
		s.Call("POST", "/v1/streams", s.DayToken(auth.Anchor, "alice"), `{"title":"","sources":["heartbeat","callback"]}`).RequireStatus(201)
	})
	made, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	is, err := config.Load([]string{"--auth.issuer", "me"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := config.MergeReloadable(made, is); err != nil || next.Auth.Issuer != "me" || next.Auth.Secret != made.Auth.Secret {
		t.Errorf("issuer %q, %v", next.Auth.Issuer, err)
	}
}

// TestReloadMovesBetweenCDNs: play domains, their weights, providers and keys change
// without a restart, and what anchors push to does not.
func TestReloadMovesBetweenCDNs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := []string{"--play.key", "one key", "--push.key", "push key", "--play.domain", "a.example.com"}
		s := nodetest.Serve(t, one...)
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
		flv := func() string {
			var play struct{ Play map[string]string }
			s.Call("GET", "/v1/streams/8888_alice/play", "", "").RequireStatus(200).Decode(&play)
			return play.Play["flv"]
		}
		if got := flv(); !strings.HasPrefix(got, "https://a.example.com/live/8888_alice.flv?txSecret=") {
			t.Errorf("%s", got)
		}
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, "--play.key", "one key", "--push.key", "push key",
			"--play.domain", "a.example.com=1,b.example.com=1000", "--play.providers", "b.example.com=aliyun_a", "--play.keys", "b.example.com=another"))
		if got := flv(); !strings.HasPrefix(got, "https://b.example.com/live/8888_alice.flv?auth_key=") {
			t.Errorf("after the reload: %s", got)
		}
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, append(one, "--play.provider", "template", "--play.template", "a={md5 path time}&b={time}")...))
		if got := flv(); !strings.HasPrefix(got, "https://b.example.com/") || !strings.Contains(s.Log(), "must cover the key") {
			t.Errorf("after a bad one: %s", got)
		}
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, one...))
		if got := flv(); !strings.HasPrefix(got, "https://a.example.com/live/8888_alice.flv?txSecret=") {
			t.Errorf("and back: %s", got)
		}
	})
}

// TestReloadWithoutJWKS: keys of tokens that cannot be fetched just now hold,
// whatever else is changed.
func TestReloadWithoutJWKS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	public := nodetest.JSON(map[string]any{"keys": []map[string]string{
		{"kty": "EC", "crv": "P-256", "kid": "a", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "EC", "crv": "P-256", "kid": "incomplete"},
	}})
	var down atomic.Bool
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, public)
	}))
	defer issuer.Close()
	s := nodetest.Serve(t, "--auth.jwks-url", issuer.URL)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "bob", "role": "backend", "exp": time.Now().Add(time.Hour).Unix()})
	unsigned.Header["kid"] = "a"
	token, err := unsigned.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	s.Call("GET", "/v1/sessions", token, "").RequireStatus(200)
	fetched := func(ok, failed string) {
		t.Helper()
		if o, f := s.MetricText(`onair_jwks_fetches_total{result="ok"}`), s.MetricText(`onair_jwks_fetches_total{result="failed"}`); o != ok || f != failed {
			t.Errorf("read %s times, failed %s, want %s and %s", o, f, ok, failed)
		}
	}
	fetched("1", "0")
	if s.MetricText("onair_jwks_last_fetch_timestamp_seconds") == "0" {
		t.Error("nothing says when the keys were read")
	}
	if n := s.MetricText("onair_jwks_unusable_keys"); n != "1" {
		t.Errorf("%s unusable keys, want 1", n)
	}
	down.Store(true)
	s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, "--auth.jwks-url", issuer.URL, "--limits.window", "7"))
	s.Call("GET", "/v1/streams?limit=8", token, "").RequireProblem(400, wire.CodeBadRequest)
	s.Call("GET", "/v1/sessions", token, "").RequireStatus(200)
	unsigned.Header["kid"] = "b" // has the keys read anew
	if token, err = unsigned.SignedString(key); err != nil {
		t.Fatal(err)
	}
	s.Call("GET", "/v1/sessions", token, "").RequireStatus(401)
	fetched("1", "1")
	s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t))
	if at := s.MetricText("onair_jwks_last_fetch_timestamp_seconds"); at != "0" {
		t.Errorf("without a URL its keys were read at %s", at)
	}
	if n := s.MetricText("onair_jwks_unusable_keys"); n != "0" {
		t.Errorf("%s unusable keys without a URL", n)
	}
}
