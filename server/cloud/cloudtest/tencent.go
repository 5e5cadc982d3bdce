// Package cloudtest simulates Tencent Cloud for tests. It verifies signatures, responds
// from a list of online streams, enforces a rate limit, and injects faults.
package cloudtest

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is an injected fault of a call. The zero value is none.
type Fault int

// The faults.
const (
	HTTPError         Fault = iota + 1 // HTTP 500
	InternalError                      // InternalError, with HTTP 200
	TruncatedResponse                  // half of the response
	NoResponse                         // no response
	RateLimited                        // RequestLimitExceeded
	MalformedResponse                  // JSON of another form
)

// Tencent is a simulated cloud. Set its fields before use. Its methods are safe for
// concurrent use.
type Tencent struct {
	ID, Key     string // credentials of the account
	Domain, App string
	Latency     time.Duration // of each response
	PerSecond   int           // rate limit; 0: none
	// Fault returns the fault of a call; code is empty for a list. nil: no faults.
	Fault func(action, code string) Fault

	mu           sync.Mutex // guards the fields below
	online       map[string]bool
	sortedOnline []string // nil: not sorted yet
	forbidden    map[string]string
	vodFiles     []map[string]any
	calls        []Call
	rejected     int
}

// Call is a received call.
type Call struct {
	ReceivedAt   time.Time
	Action, Code string
	Body         map[string]any
}

// SetOnline starts pushes.
func (c *Tencent) SetOnline(codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.online == nil {
		c.online = map[string]bool{}
	}
	for _, code := range codes {
		c.online[code] = true
	}
	c.sortedOnline = nil
}

// SetOffline ends pushes.
func (c *Tencent) SetOffline(codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range codes {
		delete(c.online, code)
	}
	c.sortedOnline = nil
}

// AddVODFile adds a file to the results of SearchMedia.
func (c *Tencent) AddVODFile(file map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vodFiles = append(c.vodFiles, file)
}

// Calls returns the calls received so far.
func (c *Tencent) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// RejectedCalls returns the number of calls above the rate limit.
func (c *Tencent) RejectedCalls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejected
}

// RoundTrip implements [http.RoundTripper], without a network.
func (c *Tencent) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.Body, served.Host = io.NopCloser(bytes.NewReader(body)), cmp.Or(r.Host, r.URL.Host)
	w := httptest.NewRecorder()
	if !c.serve(w, served) {
		<-r.Context().Done()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// ServeHTTP implements [http.Handler].
func (c *Tencent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.serve(w, r) {
		<-r.Context().Done()
	}
}

// serve responds to a call, unless a fault or the end of its context prevents that.
func (c *Tencent) serve(w http.ResponseWriter, r *http.Request) (responded bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	call := Call{ReceivedAt: time.Now(), Action: r.Header.Get("X-TC-Action")}
	_ = json.Unmarshal(body, &call.Body)
	call.Code, _ = call.Body["StreamName"].(string)
	exceedsLimit := c.recordCall(call)
	if c.Latency > 0 {
		select {
		case <-time.After(c.Latency):
		case <-r.Context().Done():
			return false
		}
	}
	fault := Fault(0)
	if c.Fault != nil {
		fault = c.Fault(call.Action, call.Code)
	}
	switch {
	case fault == NoResponse:
		return false
	case fault == HTTPError:
		http.Error(w, "<html>down</html>", http.StatusInternalServerError)
		return true
	case fault == MalformedResponse:
		fmt.Fprint(w, `["Response"]`)
		return true
	}
	reply, err := c.buildReply(r, call, body)
	switch {
	case exceedsLimit || fault == RateLimited:
		reply, err = nil, errors.New("RequestLimitExceeded")
	case fault == InternalError:
		reply, err = nil, errors.New("InternalError")
	}
	if reply == nil {
		reply = map[string]any{}
	}
	reply["RequestId"] = "3c140219-cfe9-470e-b241-907877d6fb03"
	if err != nil {
		reply = map[string]any{"Error": map[string]string{"Code": err.Error(), "Message": "about " + c.ID}, "RequestId": "x"}
	}
	text, _ := json.Marshal(map[string]any{"Response": reply})
	if fault == TruncatedResponse {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
	return true
}

// recordCall stores a call, and reports whether it exceeds the rate limit.
func (c *Tencent) recordCall(call Call) (exceedsLimit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
	if c.PerSecond == 0 {
		return false
	}
	inLastSecond := 0
	for _, earlier := range slices.Backward(c.calls) {
		if call.ReceivedAt.Sub(earlier.ReceivedAt) >= time.Second {
			break
		}
		inLastSecond++
	}
	if exceedsLimit = inLastSecond > c.PerSecond; exceedsLimit {
		c.rejected++
	}
	return exceedsLimit
}

var credential = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/(live|vod)/tc3_request, SignedHeaders=content-type;host, Signature=([0-9a-f]{64})$`)

// verifySignature verifies a call step by step as the provider documents it.
func (c *Tencent) verifySignature(r *http.Request, body []byte) error {
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	timestamp, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	if m == nil || err != nil || m[1] != c.ID {
		return errors.New("AuthFailure.SecretIdNotFound")
	}
	at := time.Unix(timestamp, 0).UTC()
	if d := time.Since(at); d > 5*time.Minute || d < -5*time.Minute || at.Format("2006-01-02") != m[2] {
		return errors.New("AuthFailure.SignatureExpire")
	}
	sign := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	sum := func(text []byte) string { s := sha256.Sum256(text); return hex.EncodeToString(s[:]) }
	request := r.Method + "\n" + r.URL.Path + "\n" + r.URL.RawQuery + "\ncontent-type:" + r.Header.Get("Content-Type") + "\nhost:" + r.Host +
		"\n\ncontent-type;host\n" + sum(body)
	scope := m[2] + "/" + m[3] + "/tc3_request"
	text := "TC3-HMAC-SHA256\n" + strconv.FormatInt(timestamp, 10) + "\n" + scope + "\n" + sum([]byte(request))
	want := sign(sign(sign(sign([]byte("TC3"+c.Key), m[2]), m[3]), "tc3_request"), text)
	if hex.EncodeToString(want) != m[4] {
		return errors.New("AuthFailure.SignatureFailure")
	}
	return nil
}

// buildReply returns the inner part of a response, or an error whose text is an API error code.
func (c *Tencent) buildReply(r *http.Request, call Call, body []byte) (map[string]any, error) {
	if err := c.verifySignature(r, body); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.Action == "SearchMedia" {
		if r.Header.Get("X-TC-Version") != "2018-07-17" {
			return nil, errors.New("NoSuchVersion")
		}
		return c.searchMediaLocked(call)
	}
	if r.Header.Get("X-TC-Version") != "2018-08-01" {
		return nil, errors.New("NoSuchVersion")
	}
	if call.Body["DomainName"] != c.Domain || call.Body["AppName"] != c.App {
		return nil, errors.New("InvalidParameter")
	}
	switch call.Action {
	case "DescribeLiveStreamState":
		return map[string]any{"StreamState": c.pushStateLocked(call.Code)}, nil
	case "DescribeLiveStreamOnlineList":
		return c.onlinePageLocked(call)
	case "DropLiveStream":
		if !c.online[call.Code] {
			return nil, errors.New("FailedOperation.StreamNotExist")
		}
		delete(c.online, call.Code)
		c.sortedOnline = nil
		return nil, nil
	case "ForbidLiveStream":
		if c.forbidden == nil {
			c.forbidden = map[string]string{}
		}
		until, _ := call.Body["ResumeTime"].(string)
		c.forbidden[call.Code] = until
		delete(c.online, call.Code)
		c.sortedOnline = nil
		return nil, nil
	case "ResumeLiveStream":
		if _, is := c.forbidden[call.Code]; !is {
			return nil, errors.New("ResourceNotFound.ForbidStream")
		}
		delete(c.forbidden, call.Code)
		return nil, nil
	}
	return nil, errors.New("InvalidAction")
}

func (c *Tencent) pushStateLocked(code string) string {
	if _, is := c.forbidden[code]; is {
		return "forbid"
	}
	if c.online[code] {
		return "active"
	}
	return "inactive"
}

func (c *Tencent) onlinePageLocked(call Call) (map[string]any, error) {
	n, _ := call.Body["PageNum"].(float64)
	size, _ := call.Body["PageSize"].(float64)
	if n < 1 || size < 10 || size > 100 {
		return nil, errors.New("InvalidParameter")
	}
	if c.sortedOnline == nil {
		c.sortedOnline = slices.Sorted(maps.Keys(c.online))
	}
	rows := []map[string]any{}
	for i := (int(n) - 1) * int(size); i < min(int(n)*int(size), len(c.sortedOnline), 20_000); i++ {
		rows = append(rows, map[string]any{
			"StreamName": c.sortedOnline[i], "AppName": c.App, "DomainName": c.Domain, "PublishTimeList": []map[string]string{{"PublishTime": "2026-01-01T00:00:00Z"}},
		})
	}
	total := len(c.sortedOnline)
	return map[string]any{"TotalNum": total, "TotalPage": (total + int(size) - 1) / int(size), "PageNum": n, "PageSize": size, "OnlineInfo": rows}, nil
}

func (c *Tencent) searchMediaLocked(call Call) (map[string]any, error) {
	offset, _ := call.Body["Offset"].(float64)
	limit, _ := call.Body["Limit"].(float64)
	if offset+limit > 5000 || limit < 1 {
		return nil, errors.New("InvalidParameterValue.Limit")
	}
	end := min(len(c.vodFiles), int(offset+limit))
	return map[string]any{"TotalCount": len(c.vodFiles), "MediaInfoSet": c.vodFiles[min(int(offset), end):end]}, nil
}
