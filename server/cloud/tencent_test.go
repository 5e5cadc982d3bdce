package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"onair/server/cloud/cloudtest"
)

const (
	secretID  = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	secretKey = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
)

func newSimulatedCloud() *cloudtest.Tencent {
	return &cloudtest.Tencent{ID: secretID, Key: secretKey, Domain: "8888.livepush.myqcloud.com", App: "live"}
}

// newTencentClient returns a client of a simulated cloud, without a network.
func newTencentClient(t *testing.T, sim *cloudtest.Tencent, change func(*TencentConfig)) *Tencent {
	t.Helper()
	c := TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: sim.Domain, App: sim.App}
	if change != nil {
		change(&c)
	}
	client, err := NewTencent(c, Options{Budget: unlimitedBudget(), Transport: sim})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTencentIsOnline(t *testing.T) {
	sim := newSimulatedCloud()
	link, o := startServer(t, sim)
	client, err := NewTencent(TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: sim.Domain, App: sim.App, URL: link, VODURL: link}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := shortContext(t)
	requireOnline := func(code string, want bool) {
		t.Helper()
		if got, err := client.IsOnline(ctx, code); got != want || err != nil {
			t.Errorf("%s is %v, %v; want %v", code, got, err, want)
		}
	}
	requireNoError := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	sim.SetOnline("8888_alice", "8888_bob")
	requireOnline("8888_alice", true)
	requireOnline("8888_nobody", false)

	requireNoError(client.CutPush(ctx, "8888_alice"))
	requireNoError(client.CutPush(ctx, "8888_alice")) // there is no push any more
	requireOnline("8888_alice", false)
	requireOnline("8888_bob", true)

	requireNoError(client.ForbidPush(ctx, "8888_bob", time.Now().Add(time.Hour), "spam"))
	requireOnline("8888_bob", false)
	requireNoError(client.AllowPush(ctx, "8888_bob"))
	requireNoError(client.AllowPush(ctx, "8888_bob"))
	requireOnline("8888_bob", false)
}

func TestTencentForbid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulatedCloud()
		client := newTencentClient(t, sim, nil)
		now := time.Now()
		latest := now.Add(maxForbid)
		for _, c := range []struct{ until, want time.Time }{
			{now.Add(time.Minute), now.Add(time.Minute)},
			{now.Add(80 * 24 * time.Hour).In(time.FixedZone("", 3600)), now.Add(80 * 24 * time.Hour)},
			{now.Add(90 * 24 * time.Hour), latest},
			{now.Add(1000 * 24 * time.Hour), latest},
			{time.Time{}, latest},
		} {
			if err := client.ForbidPush(t.Context(), "8888_bob", c.until, strings.Repeat("é", maxForbidReason)); err != nil {
				t.Fatal(err)
			}
			calls := sim.Calls()
			body := calls[len(calls)-1].Body
			if got := body["ResumeTime"]; got != c.want.UTC().Format("2006-01-02T15:04:05Z") {
				t.Errorf("until %v: %v, want %v", c.until, got, c.want)
			}
			if reason, _ := body["Reason"].(string); len(reason) > maxForbidReason || strings.Contains(reason, "\uFFFD") {
				t.Errorf("reason of %d bytes: %q", len(reason), reason)
			}
		}
		sent := len(sim.Calls())
		if err := client.ForbidPush(t.Context(), "8888_bob", now, ""); err == nil || len(sim.Calls()) != sent {
			t.Errorf("until now: %v, %d calls", err, len(sim.Calls())-sent)
		}
	})
}

func TestTencentForEachOnline(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 1000, 2345, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			sim := newSimulatedCloud()
			sim.Latency = 50 * time.Millisecond
			codes := streamCodes(n)
			sim.SetOnline(codes...)
			got, err := collectOnline(newTencentClient(t, sim, nil).ForEachOnline, t.Context())
			if slices.Sort(got); err != nil || !slices.Equal(got, codes) {
				t.Errorf("%d of %d codes, %v", len(got), n, err)
			}
			if calls, want := len(sim.Calls()), max(1, (n+99)/100); calls != want {
				t.Errorf("%d calls for %d streams, want %d", calls, n, want)
			}
		})
	}
}

func streamCodes(n int) (codes []string) {
	for i := range n {
		codes = append(codes, fmt.Sprintf("8888_%06d", i))
	}
	return codes
}

// TestTencentIncompleteList: a list that is truncated or changes meanwhile yields only
// online streams and returns ErrIncomplete.
func TestTencentIncompleteList(t *testing.T) {
	var calls atomic.Int32
	faultAt := func(n int32, f cloudtest.Fault) func(string, string) cloudtest.Fault {
		return func(string, string) cloudtest.Fault {
			if calls.Add(1) == n {
				return f
			}
			return 0
		}
	}
	for name, c := range map[string]struct {
		streams  int
		fault    func(sim *cloudtest.Tencent) func(string, string) cloudtest.Fault
		err      error // nil: any
		minCodes int
	}{
		"the first page fails": {1000, func(*cloudtest.Tencent) func(string, string) cloudtest.Fault { return faultAt(1, cloudtest.HTTPError) }, nil, 0},
		"a page fails": {3000, func(*cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return faultAt(20, cloudtest.InternalError)
		}, nil, 100},
		"a truncated page": {1000, func(*cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return faultAt(5, cloudtest.TruncatedResponse)
		}, nil, 100},
		"a page without response": {1000, func(*cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return faultAt(10, cloudtest.NoResponse)
		}, nil, 100},
		"too many": {20_001, func(*cloudtest.Tencent) func(string, string) cloudtest.Fault { return nil }, ErrIncomplete, 20_000},
		"a push begins meanwhile": {1000, func(sim *cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return func(string, string) cloudtest.Fault {
				if calls.Add(1) == 4 {
					sim.SetOnline("8888_000000a")
				}
				return 0
			}
		}, ErrIncomplete, 900},
		"a push ends meanwhile": {1000, func(sim *cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return func(string, string) cloudtest.Fault {
				if calls.Add(1) == 4 {
					sim.SetOffline("8888_000000")
				}
				return 0
			}
		}, ErrIncomplete, 900},
		"a malformed page": {1000, func(sim *cloudtest.Tencent) func(string, string) cloudtest.Fault {
			return func(_, _ string) cloudtest.Fault {
				if calls.Add(1) == 4 {
					return cloudtest.MalformedResponse
				}
				return 0
			}
		}, nil, 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls.Store(0)
			sim := newSimulatedCloud()
			sim.Latency = 20 * time.Millisecond
			sim.SetOnline(streamCodes(c.streams)...)
			sim.Fault = c.fault(sim)
			got, err := collectOnline(newTencentClient(t, sim, nil).ForEachOnline, t.Context())
			if err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%s: %v", name, err)
			}
			if len(got) < c.minCodes {
				t.Errorf("%s: only %d codes", name, len(got))
			}
			for _, code := range got {
				if !strings.HasPrefix(code, "8888_") {
					t.Errorf("%s: invalid code %q", name, code)
				}
			}
		})
	}
}

// TestTencentFaults: every fault is an error without a state, rejections for the rate are
// ErrRateLimited, and no error contains a secret.
func TestTencentFaults(t *testing.T) {
	for fault, want := range map[cloudtest.Fault]error{
		cloudtest.HTTPError: nil, cloudtest.InternalError: nil, cloudtest.TruncatedResponse: nil, cloudtest.NoResponse: nil, cloudtest.MalformedResponse: nil,
		cloudtest.RateLimited: ErrRateLimited,
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := newSimulatedCloud()
			sim.SetOnline("8888_alice")
			sim.Fault = func(string, string) cloudtest.Fault { return fault }
			client := newTencentClient(t, sim, nil)
			startedAt := time.Now()
			isOnline, err := client.IsOnline(t.Context(), "8888_alice")
			if isOnline || err == nil || errors.Is(err, ErrRateLimited) != (want == ErrRateLimited) {
				t.Errorf("fault %d: %v, %v", fault, isOnline, err)
			}
			if d := time.Since(startedAt); d > requestTimeout {
				t.Errorf("fault %d: after %v", fault, d)
			}
			requireNoSecrets(t, err, client)
			for _, err := range []error{client.CutPush(t.Context(), "x"), client.AllowPush(t.Context(), "x"), client.ForbidPush(t.Context(), "x", time.Time{}, "")} {
				if err == nil {
					t.Errorf("fault %d: no error", fault)
				}
				requireNoSecrets(t, err, client)
			}
		})
	}
}

// TestTencentMalformedResponse: a response without the expected members is an error, also
// for calls without a result.
func TestTencentMalformedResponse(t *testing.T) {
	for _, response := range []string{`{"Response":{}}`, `{"Response":null}`, `{}`, `null`, `{"Response":{"RequestId":null}}`, `{"RequestId":"x"}`} {
		client, err := NewTencent(TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: "d", App: "live"},
			Options{Budget: unlimitedBudget(), Transport: fixedResponse{http.StatusOK, []byte(response)}})
		if err != nil {
			t.Fatal(err)
		}
		if client.CutPush(t.Context(), "8888_alice") == nil || client.ForbidPush(t.Context(), "8888_alice", time.Time{}, "") == nil {
			t.Errorf("%s: no error", response)
		}
		if got, err := collectOnline(client.ForEachOnline, t.Context()); err == nil || len(got) > 0 {
			t.Errorf("%s: a list is returned", response)
		}
	}
}

// TestTencentRetriesRateLimited: a request that is rejected for its rate is repeated at a
// lower rate.
func TestTencentRetriesRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulatedCloud()
		sim.SetOnline("8888_alice")
		n := 0
		sim.Fault = func(string, string) cloudtest.Fault {
			if n++; n < maxAttempts {
				return cloudtest.RateLimited
			}
			return 0
		}
		startedAt := time.Now()
		if isOnline, err := newTencentClient(t, sim, nil).IsOnline(t.Context(), "8888_alice"); !isOnline || err != nil {
			t.Errorf("%v, %v", isOnline, err)
		}
		if d := time.Since(startedAt); d < 2*pause {
			t.Errorf("next request after %v", d)
		}
	})
}

// TestSimulatedCloudVerifiesSignature checks the test double itself.
func TestSimulatedCloudVerifiesSignature(t *testing.T) {
	sim := newSimulatedCloud()
	for name, change := range map[string]func(*TencentConfig){
		"another key": func(c *TencentConfig) { c.SecretKey = "another" },
		"another id":  func(c *TencentConfig) { c.SecretID = "another" },
	} {
		client := newTencentClient(t, sim, change)
		_, err := client.IsOnline(t.Context(), "8888_alice")
		if err == nil || !strings.Contains(err.Error(), "AuthFailure") {
			t.Errorf("%s: %v", name, err)
		}
		requireNoSecrets(t, err, client)
	}
}

// TestTencentWaitsBeforeSigning: a signature expires after five minutes.
func TestTencentWaitsBeforeSigning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulatedCloud()
		client, err := NewTencent(TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: sim.Domain, App: sim.App},
			Options{Budget: NewBudget(1.0 / 600), Transport: sim})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := client.IsOnline(t.Context(), "8888_alice"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestNewTencent(t *testing.T) {
	validConfig := TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: "d", App: "live"}
	for name, change := range map[string]func(*TencentConfig){
		"no id":              func(c *TencentConfig) { c.SecretID = "" },
		"no key":             func(c *TencentConfig) { c.SecretKey = "" },
		"no domain":          func(c *TencentConfig) { c.Domain = "" },
		"no app":             func(c *TencentConfig) { c.App = "" },
		"a URL without host": func(c *TencentConfig) { c.URL = "live.tencentcloudapi.com" },
		"an FTP URL":         func(c *TencentConfig) { c.VODURL = "ftp://x" },
		"an invalid URL":     func(c *TencentConfig) { c.URL = "http://%zz" + secretKey },
		"an invalid VOD URL": func(c *TencentConfig) { c.VODURL = ":" },
	} {
		c := validConfig
		change(&c)
		_, err := NewTencent(c, Options{Budget: unlimitedBudget()})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		requireNoSecrets(t, err, nil)
	}
}

// requireNoSecrets checks that no formatted error or client contains a secret.
func requireNoSecrets(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{secretID, secretKey, legacyKey, "sign=", "Signature=", "hunter2"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q occurs in %s", secret, text)
				}
			}
		}
	}
}

// TestNoRedirects: a request that is signed for one host is not sent to another.
func TestNoRedirects(t *testing.T) {
	link, o := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/else" {
			t.Error("a redirect was followed")
		}
		http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
	}))
	client, err := NewTencent(TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: "d", App: "live", URL: link}, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.IsOnline(shortContext(t), "8888_alice"); err == nil {
		t.Error("a redirect is no error")
	}
}

func FuzzTencent(f *testing.F) {
	for _, response := range []string{
		`{"Response":{"StreamState":"active","RequestId":"x"}}`,
		`{"Response":{"Error":{"Code":"RequestLimitExceeded.Uin","Message":"m"},"RequestId":"x"}}`,
		`{"Response":{"TotalNum":2,"TotalPage":1,"OnlineInfo":[{"StreamName":"8888_a"},{"StreamName":"8888_b"}],"RequestId":"x"}}`,
		`{"Response":null}`, `{}`, `[]`, ``,
	} {
		f.Add(http.StatusOK, []byte(response))
	}
	f.Fuzz(func(t *testing.T, status int, response []byte) {
		client, err := NewTencent(TencentConfig{SecretID: secretID, SecretKey: secretKey, Domain: "d", App: "live"}, Options{Budget: unlimitedBudget(), Transport: fixedResponse{status, response}})
		if err != nil {
			t.Fatal(err)
		}
		// The budget permits no second attempt after a rejection for the rate.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		isOnline, err := client.IsOnline(ctx, "8888_alice")
		if isOnline && err != nil || err == nil && status != http.StatusOK {
			t.Fatalf("%v, %v with status %d", isOnline, err, status)
		}
	})
}

// fixedResponse is a transport with one response for all requests.
type fixedResponse struct {
	status int
	body   []byte
}

func (c fixedResponse) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Body: readCloser{strings.NewReader(string(c.body))}, Request: r}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
