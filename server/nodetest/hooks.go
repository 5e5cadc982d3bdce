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

// ServeWithNginxHooks starts a server with callbacks of nginx-rtmp enabled.
func ServeWithNginxHooks(t *testing.T, flags ...string) *Server {
	t.Helper()
	return Serve(t, append([]string{"--hooks.nginx-rtmp.enabled", "true", "--hooks.nginx-rtmp.secret", "s3cret"}, flags...)...)
}

// SendNginxCallback sends a callback of nginx-rtmp about a push.
func (s *Server) SendNginxCallback(call, clientID, code, pushQuery string) *Response {
	s.T.Helper()
	body := "app=live&flashver=FMLE&swfurl=&tcurl=rtmp://x/live&pageurl=&addr=10.1.2.3&clientid=" + clientID + "&call=" + call
	if call == "update_publish" {
		body += "&time=2&timestamp=2000"
	}
	body += "&name=" + code
	if call == "publish" {
		body += "&type=live"
	}
	if pushQuery != "" {
		body += "&" + pushQuery
	}
	return s.Call("POST", "/v1/hooks/nginx-rtmp/s3cret", "", body, "Content-Type: application/x-www-form-urlencoded")
}

// URLQuery returns the raw query of a URL.
func URLQuery(url string) string {
	_, query, _ := strings.Cut(url, "?")
	return query
}

// DialPublishingAnchor starts a session on a socket, and sends the callback of its push.
func (s *Server) DialPublishingAnchor(sub string) (c *Client, pushQuery string) {
	s.T.Helper()
	c = s.DialAnchor(sub)
	b := RequestReply[*wire.Started](c, &wire.Start{ID: c.NextID(), Title: ""})
	pushQuery = URLQuery(b.Push.RTMP)
	s.SendNginxCallback("publish", "1", "8888_"+sub, pushQuery).RequireStatus(204)
	return c, pushQuery
}

// StreamState returns the state of a live code over HTTP, with the reason if it is away, or
// "gone" if it is not live.
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

// PostTencentCallback sends a signed callback of Tencent Cloud. The members replace or
// extend those that every callback has.
func PostTencentCallback(s *Server, eventType int, members map[string]any) *Response {
	s.T.Helper()
	until := time.Now().Add(10 * time.Minute).Unix()
	sum := md5.Sum(fmt.Appendf(nil, "%s%d", TencentKey, until))
	body := map[string]any{
		"event_type": eventType, "appid": 1, "app": "push.example.com", "appname": "live", "stream_id": "8888_alice", "channel_id": "8888_alice",
		"event_time": time.Now().Unix(), "t": until, "sign": hex.EncodeToString(sum[:]),
	}
	maps.Copy(body, members)
	text, err := json.Marshal(body)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.Call("POST", "/v1/hooks/tencent/s3cret", "", string(text), "Content-Type: application/json")
}

// PostJSONHook sends a callback in JSON to a path below /v1/hooks.
func PostJSONHook(s *Server, path, body string) *Response {
	s.T.Helper()
	return s.Call("POST", "/v1/hooks/"+path, "", body, "Content-Type: application/json")
}
