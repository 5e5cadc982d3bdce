package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"onair/server/auth"
	"onair/server/nodetest"
)

// mustCall makes an HTTP call to any node.
func (f *fleet) mustCall(wantStatus int, method, path, token, text string) []byte {
	f.t.Helper()
	status, body, err := f.call(method, "http://"+f.otherNode(nil).address+path, token, text)
	if err != nil || status != wantStatus {
		f.t.Fatalf("%s %s: %d %s %v, want %d", method, path, status, body, err, wantStatus)
	}
	return body
}

// startOverHTTP starts a stream at any node.
func (f *fleet) startOverHTTP(anchor, key string) (started nodetest.StartResult) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "POST", "http://"+f.otherNode(nil).address+"/v1/streams", strings.NewReader(`{"title":"t"}`))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+nodetest.SignToken(f.t, auth.Anchor, anchor))
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&started); err != nil || started.Session == "" {
		f.t.Fatalf("the start of %s was answered with %d, %v", anchor, res.StatusCode, err)
	}
	return started
}

// sessions returns state and session of a node's live or ended sessions, by live code.
func (f *fleet) sessions(n *fleetNode, state string) map[string]string {
	f.t.Helper()
	status, body, err := f.call("GET", "http://"+n.address+"/v1/sessions?state="+state, nodetest.SignToken(f.t, auth.Backend, "shop"), "")
	var page struct {
		Sessions []struct{ Session, Code, State, Away, Reason string }
	}
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	if err != nil || status != http.StatusOK {
		f.t.Fatalf("%s: %d %s %v", n.name, status, body, err)
	}
	byCode := map[string]string{}
	for _, s := range page.Sessions {
		byCode[s.Code] = strings.Join([]string{s.State, s.Away, s.Reason, s.Session}, " ")
	}
	return byCode
}
