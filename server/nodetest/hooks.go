package nodetest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
)

// ServeWithNginxHooks starts a server that listens to nginx-rtmp.
func ServeWithNginxHooks(t *testing.T, flags ...string) *Server {
	t.Helper()
	return Serve(t, append([]string{"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret"}, flags...)...)
}

// SendNginxCallback does what nginx does at an event of the push of a client.
func (s *Server) SendNginxCallback(call, client, code, query string) *Response {
	s.T.Helper()
	body := "app=live&flashver=FMLE&swfurl=&tcurl=rtmp://x/live&pageurl=&addr=10.1.2.3&clientid=" + client + "&call=" + call
	if call == "update_publish" {
		body += "&time=2&timestamp=2000"
	}
	body += "&name=" + code
	if call == "publish" {
		body += "&type=live"
	}
	if query != "" {
		body += "&" + query
	}
	return s.Call("POST", "/v1/hooks/nginx-rtmp/s3cret", "", body, "Content-Type: application/x-www-form-urlencoded")
}

// URLQuery is the query of the push URL that a start gave.
func URLQuery(url string) string {
	_, query, _ := strings.Cut(url, "?")
	return query
}

// DialPublishingAnchor starts a session on a socket, and pushes.
func (s *Server) DialPublishingAnchor(sub string) (c *Client, query string) {
	s.T.Helper()
	c = s.DialAnchor(sub)
	b := RequestReply[*wire.Started](c, &wire.Start{ID: c.NextID(), Title: ""})
	query = URLQuery(b.Push.RTMP)
	s.SendNginxCallback("publish", "1", "8888_"+sub, query).RequireStatus(204)
	return c, query
}

// StreamState is the state in which the list shows a live code, "gone" for not at all.
func (s *Server) StreamState(code string) string {
	s.T.Helper()
	var e wire.Entry
	if a := s.Call("GET", "/v1/streams/"+code, "", ""); a.Status == 200 {
		a.Decode(&e)
		return strings.TrimSpace(e.State + " " + e.Away)
	}
	return "gone"
}

// TencentKey signs the callbacks of Tencent in tests.
const TencentKey = "5d41402abc4b2a76b9719d911017c592"

// tells does what Tencent Cloud does at an event; the members are laid over those
// that every event has.
func PostTencentCallback(s *Server, event int, members map[string]any) *Response {
	s.T.Helper()
	until := time.Now().Add(10 * time.Minute).Unix()
	sum := md5.Sum(fmt.Appendf(nil, "%s%d", TencentKey, until))
	body := map[string]any{
		"event_type": event, "appid": 1, "app": "push.example.com", "appname": "live", "stream_id": "8888_alice", "channel_id": "8888_alice",
		"event_time": time.Now().Unix(), "t": until, "sign": hex.EncodeToString(sum[:]),
	}
	maps.Copy(body, members)
	text, err := json.Marshal(body)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.Call("POST", "/v1/hooks/tencent/s3cret", "", string(text), "Content-Type: application/json")
}

// serverHook posts what a media server does.
func PostJSONHook(s *Server, path, body string) *Response {
	s.T.Helper()
	return s.Call("POST", "/v1/hooks/"+path, "", body, "Content-Type: application/json")
}
