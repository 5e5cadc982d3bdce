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
	"time"

	"github.com/rs/zerolog"

	"onair/presence"
)

const secretURL = "https://s3cretuser:s3cretpass@app.example.com/s3cretpath/x?token=s3crettoken"

// TestInvalidEndpoints: errors do not contain the URL or a secret.
func TestInvalidEndpoints(t *testing.T) {
	valid := []string{testSecret}
	for name, c := range map[string]EndpointConfig{
		"no URL":         {Secrets: valid},
		"no host":        {URL: "https:///s3cret", Secrets: valid},
		"another scheme": {URL: "ftp://app.example.com/s3cret", Secrets: valid},
		"an invalid URL": {URL: "https://s3cret:\n@", Secrets: valid},
		"no secret":      {URL: secretURL},
		"a bad secret":   {URL: secretURL, Secrets: []string{testSecret, "whsec_s3cret"}},
	} {
		_, err := NewEndpoint(c)
		if err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), testSecret[6:]) {
			t.Errorf("%s: the error contains a secret: %v", name, err)
		}
	}
	_, err := NewEndpoint(EndpointConfig{URL: secretURL, Secrets: []string{testSecret, "x"}})
	if !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), "secret 2") {
		t.Errorf("a bad secret: %v", err)
	}
}

// TestEndpointRedactsItself: no format of an endpoint, or of a value that contains it,
// shows the URL or secrets.
func TestEndpointRedactsItself(t *testing.T) {
	endpoint := newEndpoint(t, secretURL)
	sender := NewSender(Options{Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }})
	for _, v := range []any{endpoint, *endpoint, sender, sender.NewDispatcher(nil)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			requireNoSecret(t, verb, fmt.Sprintf(verb, v))
		}
	}
	text, _ := json.Marshal([]any{endpoint})
	requireNoSecret(t, "JSON", string(text))
}

func requireNoSecret(t *testing.T, name, text string) {
	t.Helper()
	key, _ := parseSecret(testSecret)
	for _, secret := range []string{"s3cret", testSecret[len(secretPrefix):], string(key), fmt.Sprintf("%x", key), fmt.Sprintf("%d", key)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s contains a secret: %s", name, text)
		}
	}
}

// TestReasonRedactsURL: the reason of a failure names the host and the error, and no other
// part of the URL.
func TestReasonRedactsURL(t *testing.T) {
	endpoint := newEndpoint(t, secretURL)
	u, _ := url.Parse(secretURL)
	for _, test := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}, Err: errors.New("connection refused")}, "no response: dial tcp 10.0.0.1:443: connection refused"},
		{&net.DNSError{Err: "no such host", Name: "app.example.com"}, "no response: lookup app.example.com: no such host"},
		{fmt.Errorf("cannot reach %s", secretURL), "no response: cannot reach …"},
		{fmt.Errorf("malformed answer %q", u.RequestURI()), `no response: malformed answer "…"`},
		{fmt.Errorf("malformed answer %q", "token: s3crettoken"), `no response: malformed answer "token: …"`},
		{errors.New(strings.Repeat("é", 200)), "no response: " + strings.Repeat("é", 100)},
	} {
		var log strings.Builder
		s := NewSender(Options{
			Retry: 24 * time.Hour, Endpoint: func() *Endpoint { return endpoint }, Logger: zerolog.New(&log),
			Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, test.err }),
		})
		ctx, cancel := cancelableContext()
		dispatcher := s.NewDispatcher(func(_ presence.EventID, failure string) {
			if !strings.HasSuffix(failure, test.want) {
				t.Errorf("reason %q, want the suffix %q", failure, test.want)
			}
			requireNoSecret(t, "reason", failure)
			cancel()
		})
		e := event("a", 0)
		e.At = 0
		dispatcher.Enqueue(e)
		dispatcher.Run(ctx)
		requireNoSecret(t, "log", log.String())
	}
}
