package runtimeconfig_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/server/config"
	"onair/server/nodetest"
	"onair/server/runtimeconfig"
	"onair/signing"
)

// formula is a template, of Baidu's kind: what is signed has the domain in it.
const formula = "timestamp={time}&token={hmac-sha256 domain '/' app '/' name ';' time}"

// TestConfigKnowsProviders: the configuration knows the providers that there are,
// and refuses, naming the key, exactly what they cannot do.
func TestConfigKnowsProviders(t *testing.T) {
	for _, provider := range signing.Providers() {
		template := ""
		if provider == "template" {
			template = formula
		}
		for _, protocol := range []string{"rtmp", "flv", "hls", "webrtc"} {
			agree(t, provider+" plays "+protocol, "play.protocols", func(cfg *config.Config) {
				cfg.Play.Provider, cfg.Play.Template, cfg.Play.Protocols = provider, template, []string{protocol}
			}, "--play.provider", provider, "--play.template", template, "--play.protocols", protocol)
		}
		agree(t, provider+" is pushed to", "push.provider", func(cfg *config.Config) {
			cfg.Push.Provider, cfg.Push.Template = provider, template
		}, "--push.provider", provider, "--push.template", template)
		// Here what is checked is what New says of the digest.
		_, err := signing.NewSigner(provider, template, signing.SignerConfig{Key: "k", Algorithm: signing.SHA256})
		_, refused := config.Load([]string{"--push.provider", provider, "--push.template", template, "--push.algorithm", "sha256"}, nil)
		if (err == nil) != (refused == nil) {
			t.Errorf("sha256 of %s: signing says %v, config %v", provider, err, refused)
		}
	}
}

// TestConfigKnowsServers: the configuration refuses exactly the protocols that a server lacks.
func TestConfigKnowsServers(t *testing.T) {
	for _, server := range signing.Servers() {
		for _, protocol := range []string{"rtmp", "flv", "hls", "webrtc"} {
			agree(t, server+" plays "+protocol, "play.protocols", func(cfg *config.Config) {
				cfg.Play.Server, cfg.Play.Protocols = server, []string{protocol}
			}, "--play.server", server, "--play.protocols", protocol)
		}
	}
}

// agree compares what a configuration says with what comes of one that was not asked.
func agree(t *testing.T, what, key string, set func(*config.Config), flags ...string) {
	t.Helper()
	cfg, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	set(cfg)
	_, made := runtimeconfig.NewSigners(cfg)
	_, refused := config.Load(flags, nil)
	if (made == nil) != (refused == nil) || refused != nil && !strings.Contains(refused.Error(), "--"+key) {
		t.Errorf("%s: signing says %v, config %v", what, made, refused)
	}
}

// TestHookOfTemplate: a push under a formula that has the domain in it is let in,
// although the media server does not say which domain it was.
func TestHookOfTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.ServeWithNginxHooks(t, "--push.provider", "template", "--push.template", formula, "--push.key", "k")
		_, query := s.DialPublishingAnchor("alice") // 204
		anchorLive(s, "bob")
		s.SendNginxCallback("publish", "2", "8888_bob", query).RequireProblem(403, wire.CodeForbidden)
	})
}

// anchorLive starts a session and gives the socket.
func anchorLive(s *nodetest.Server, sub string) *nodetest.Client {
	s.T.Helper()
	c := s.DialAnchor(sub)
	nodetest.RequestReply[*wire.Started](c, &wire.Start{ID: c.NextID(), Title: ""})
	return c
}

// flv is the FLV URL under which a list shows a code.
func flv(l *wire.ClientView, code string) string {
	e, _ := l.Entry(code)
	for _, u := range e.Play {
		if u.Protocol == "flv" {
			return u.URL
		}
	}
	return ""
}

// TestReloadMovesPlay: traffic moves to another cloud by a reload. What viewers have
// stays as it is until it would be renewed anyway; what is new comes from there.
func TestReloadMovesPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const old, fresh = "https://old.example.com/live/8888_", "https://new.example.com/live/8888_"
		s := nodetest.Serve(t, "--play.domain", "old.example.com", "--play.key", "one", "--play.ttl", "2h", "--idle", "1h")
		viewer := s.DialViewer("")
		nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID(), Play: []string{"flv"}})
		alice := anchorLive(s, "alice")
		viewer.AwaitView("alice", func(l *wire.ClientView) bool { return flv(l, "8888_alice") != "" })
		before := flv(&viewer.View, "8888_alice")
		if !strings.HasPrefix(before, old+"alice.flv?txSecret=") {
			t.Fatalf("alice plays from %s", before)
		}

		move := []string{
			"--play.domain", "old.example.com=1,new.example.com=1000", "--play.key", "one", "--play.providers", "new.example.com=aliyun_a",
			"--play.keys", "new.example.com=two", "--play.deltas", "new.example.com=30m", "--node", "n1", "--data", "memory", "--play.ttl", "2h", "--idle", "1h",
		}
		// What cannot be is refused, and all stays as it was.
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, append(slices.Clone(move), "--play.providers", "new.example.com=aliyun_b", "--play.protocols", "flv")...))
		if log := s.Log(); !strings.Contains(log, "configuration reload failed") || len(s.Node.Runtime.Current().Play.Domains) != 1 {
			t.Errorf("a provider without RTMP was taken beside protocols that stay: %s", log)
		}
		s.Node.ReloadConfig(t.Context(), nodetest.ConfigLoader(t, move...))
		if log := s.Log(); strings.Contains(log, "require a restart") {
			t.Errorf("the log says %s", log)
		}
		bob := anchorLive(s, "bob")
		viewer.AwaitView("bob", func(l *wire.ClientView) bool { return flv(l, "8888_bob") != "" })
		after := flv(&viewer.View, "8888_bob")
		if !strings.HasPrefix(after, fresh+"bob.flv?auth_key=") {
			t.Errorf("bob plays from %s", after)
		}
		if got := flv(&viewer.View, "8888_alice"); got != before {
			t.Errorf("alice has moved to %s", got)
		}
		// Its time is half an hour early, which the new cloud adds.
		expires := s.Node.Runtime.Current().PlaySigner.Expiry("8888_bob", time.Now().UnixMilli())/1000 - 1800
		if want := fmt.Sprintf("?auth_key=%010d-", expires); !strings.Contains(after, want) {
			t.Errorf("bob plays from %s, want %s", after, want)
		}
		// Either plays, until it ends: by its own provider, key and validity.
		for _, url := range []string{before, after} {
			name, query, _ := strings.Cut(url[strings.LastIndexByte(url, '/')+1:], ".flv?")
			res := signing.Resource{App: "live", Stream: name, Protocol: signing.FLV}
			if err := s.Node.Runtime.Current().PlaySigner.Verify(res, query, time.Now().Unix()+3600); err != nil {
				t.Errorf("%s: %v", url, err)
			}
			if err := s.Node.Runtime.Current().PlaySigner.Verify(res, query, time.Now().Unix()+7201); !errors.Is(err, signing.ErrExpired) {
				t.Errorf("%s after two hours: %v", url, err)
			}
		}
		// Within half of the ttl alice's is renewed, with the new domain.
		keepBeating(t, 61*time.Minute, alice, bob)
		viewer.AwaitView("alice's new URL", func(l *wire.ClientView) bool {
			return strings.HasPrefix(flv(l, "8888_alice"), fresh+"alice.flv?auth_key=")
		})
	})
}

// keepBeating lets time pass for anchors that beat.
func keepBeating(t *testing.T, span time.Duration, anchors ...*nodetest.Client) {
	t.Helper()
	for n := int64(1); span > 0; n, span = n+1, span-30*time.Second {
		time.Sleep(30 * time.Second)
		for _, c := range anchors {
			nodetest.RequestReply[*wire.Ack](c, &wire.Beat{ID: c.NextID(), N: n})
		}
	}
}
