package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

const secretURL = "https://s3cretuser:s3cretpass@app.example.com/s3cretpath/x?token=s3crettoken"

// TestRefusedTargets: errors say what is wrong, and not what was given.
func TestRefusedTargets(t *testing.T) {
	good := []string{testSecret}
	for name, c := range map[string]TargetConfig{
		"no URL":         {Secrets: good},
		"no host":        {URL: "https:///s3cret", Secrets: good},
		"another scheme": {URL: "ftp://app.example.com/s3cret", Secrets: good},
		"no URL at all":  {URL: "https://s3cret:\n@", Secrets: good},
		"no secret":      {URL: secretURL},
		"a bad secret":   {URL: secretURL, Secrets: []string{testSecret, "whsec_s3cret"}},
		"a bad source":   {URL: secretURL, Secrets: good, Source: ":\x00"},
	} {
		_, err := NewTarget(c)
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), testSecret[6:]) {
			t.Errorf("%s: the error shows it: %v", name, err)
		}
	}
	_, err := NewTarget(TargetConfig{URL: secretURL, Secrets: []string{testSecret, "x"}})
	if !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), "secret 2") {
		t.Errorf("a bad secret: %v", err)
	}
}

// TestTargetShowsNothing: whatever prints a target, or who holds it, prints
// neither URL nor secrets.
func TestTargetShowsNothing(t *testing.T) {
	target := newTarget(t, secretURL)
	sender := NewSender(Options{Target: func() *Target { return target }})
	for _, v := range []any{target, *target, sender, sender.NewPump(nil)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			noSecret(t, verb, fmt.Sprintf(verb, v))
		}
	}
	text, _ := json.Marshal([]any{target})
	noSecret(t, "JSON", string(text))
}

func noSecret(t *testing.T, what, text string) {
	t.Helper()
	key, _ := parseSecret(testSecret)
	for _, secret := range []string{"s3cret", testSecret[len(secretPrefix):], string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%d", key)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a secret: %s", what, text)
		}
	}
}

// TestWhyShowsNothing: why a try failed says what happened to which host, and
// nothing else of the URL, whoever made the error.
func TestWhyShowsNothing(t *testing.T) {
	target := newTarget(t, secretURL)
	u, _ := url.Parse(secretURL)
	for _, test := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}, Err: errors.New("connection refused")}, "no answer: dial tcp 10.0.0.1:443: connection refused"},
		{&net.DNSError{Err: "no such host", Name: "app.example.com"}, "no answer: lookup app.example.com: no such host"},
		{fmt.Errorf("cannot reach %s", secretURL), "no answer: cannot reach …"},
		{fmt.Errorf("malformed answer %q", u.RequestURI()), `no answer: malformed answer "…"`},
		{fmt.Errorf("malformed answer %q", "token: s3crettoken"), `no answer: malformed answer "token: …"`},
		{errors.New(strings.Repeat("é", 200)), "no answer: " + strings.Repeat("é", 100)},
	} {
		var log strings.Builder
		s := NewSender(Options{
			Target: func() *Target { return target }, Logger: zerolog.New(&log),
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, test.err }),
		})
		ctx, cancel := newContext()
		pump := s.NewPump(func(_ string, dead bool, why string) {
			if !strings.HasSuffix(why, test.want) || !dead {
				t.Errorf("why %q, want the end %q", why, test.want)
			}
			noSecret(t, "why", why)
			cancel()
		})
		e := event("a", 0)
		e.Time = 0
		pump.Enqueue(e)
		pump.Run(ctx)
		noSecret(t, "log", log.String())
	}
}
