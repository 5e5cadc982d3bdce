// Package cloudtest plays Tencent Cloud for tests: it checks how calls are signed,
// answers them from what is said to be pushed, keeps to a limit, and fails as it is
// told to.
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

// Fault is how a call goes wrong.
type Fault int

// The faults there are. The zero value is none.
const (
	Broken    Fault = iota + 1 // HTTP 500
	Internal                   // InternalError, with HTTP 200
	Truncated                  // half of the answer
	Silent                     // no answer
	Limited                    // RequestLimitExceeded
	Garbled                    // another kind of answer
)

// Tencent is the cloud. Its fields are set before it is used; its methods may be
// called concurrently.
type Tencent struct {
	ID, Key     string // of the account
	Domain, App string
	Latency     time.Duration // of each answer
	PerSecond   int           // the limit; 0: none
	// Fault tells how a call about a stream ("" of a list) goes wrong. nil: none does.
	Fault func(action, code string) Fault

	mu        sync.Mutex // guards what follows
	online    map[string]bool
	order     []string // sorted names of online, nil: to be made
	forbidden map[string]string
	media     []map[string]any
	calls     []Call
	refused   int
}

// Call is one that has come.
type Call struct {
	At           time.Time
	Action, Code string
	Body         map[string]any
}

// Push has streams pushed.
func (c *Tencent) Push(codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.online == nil {
		c.online = map[string]bool{}
	}
	for _, code := range codes {
		c.online[code] = true
	}
	c.order = nil
}

// Stop ends pushes.
func (c *Tencent) Stop(codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range codes {
		delete(c.online, code)
	}
	c.order = nil
}

// Record adds a file of VOD, as SearchMedia tells of it.
func (c *Tencent) Record(media map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.media = append(c.media, media)
}

// Calls are those that have come so far.
func (c *Tencent) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Refused is how many calls were over the limit.
func (c *Tencent) Refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// RoundTrip implements http.RoundTripper, without a network.
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

// ServeHTTP implements http.Handler.
func (c *Tencent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.serve(w, r) {
		<-r.Context().Done()
	}
}

// serve answers a call, but for one that gets no answer.
func (c *Tencent) serve(w http.ResponseWriter, r *http.Request) (answered bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	call := Call{At: time.Now(), Action: r.Header.Get("X-TC-Action")}
	_ = json.Unmarshal(body, &call.Body)
	call.Code, _ = call.Body["StreamName"].(string)
	over := c.take(call)
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
	case fault == Silent:
		return false
	case fault == Broken:
		http.Error(w, "<html>down</html>", http.StatusInternalServerError)
		return true
	case fault == Garbled:
		fmt.Fprint(w, `["Response"]`)
		return true
	}
	answer, err := c.answer(r, call, body)
	switch {
	case over || fault == Limited:
		answer, err = nil, errors.New("RequestLimitExceeded")
	case fault == Internal:
		answer, err = nil, errors.New("InternalError")
	}
	if answer == nil {
		answer = map[string]any{}
	}
	answer["RequestId"] = "3c140219-cfe9-470e-b241-907877d6fb03"
	if err != nil {
		answer = map[string]any{"Error": map[string]string{"Code": err.Error(), "Message": "about " + c.ID}, "RequestId": "x"}
	}
	text, _ := json.Marshal(map[string]any{"Response": answer})
	if fault == Truncated {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
	return true
}

// take notes a call, and whether it is over the limit.
func (c *Tencent) take(call Call) (over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
	if c.PerSecond == 0 {
		return false
	}
	lately := 0
	for _, earlier := range slices.Backward(c.calls) {
		if call.At.Sub(earlier.At) >= time.Second {
			break
		}
		lately++
	}
	if over = lately > c.PerSecond; over {
		c.refused++
	}
	return over
}

var credential = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/(live|vod)/tc3_request, SignedHeaders=content-type;host, Signature=([0-9a-f]{64})$`)

// authentic checks a call's signature, step by step as the provider's page has it.
func (c *Tencent) authentic(r *http.Request, body []byte) error {
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	stamp, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	if m == nil || err != nil || m[1] != c.ID {
		return errors.New("AuthFailure.SecretIdNotFound")
	}
	at := time.Unix(stamp, 0).UTC()
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
	text := "TC3-HMAC-SHA256\n" + strconv.FormatInt(stamp, 10) + "\n" + scope + "\n" + sum([]byte(request))
	want := sign(sign(sign(sign([]byte("TC3"+c.Key), m[2]), m[3]), "tc3_request"), text)
	if hex.EncodeToString(want) != m[4] {
		return errors.New("AuthFailure.SignatureFailure")
	}
	return nil
}

// answer gives the inner part of an answer; an error is the code of a refusal.
func (c *Tencent) answer(r *http.Request, call Call, body []byte) (map[string]any, error) {
	if err := c.authentic(r, body); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.Action == "SearchMedia" {
		if r.Header.Get("X-TC-Version") != "2018-07-17" {
			return nil, errors.New("NoSuchVersion")
		}
		return c.searchLocked(call)
	}
	if r.Header.Get("X-TC-Version") != "2018-08-01" {
		return nil, errors.New("NoSuchVersion")
	}
	if call.Body["DomainName"] != c.Domain || call.Body["AppName"] != c.App {
		return nil, errors.New("InvalidParameter")
	}
	switch call.Action {
	case "DescribeLiveStreamState":
		return map[string]any{"StreamState": c.stateLocked(call.Code)}, nil
	case "DescribeLiveStreamOnlineList":
		return c.pageLocked(call)
	case "DropLiveStream":
		if !c.online[call.Code] {
			return nil, errors.New("FailedOperation.StreamNotExist")
		}
		delete(c.online, call.Code)
		c.order = nil
		return nil, nil
	case "ForbidLiveStream":
		if c.forbidden == nil {
			c.forbidden = map[string]string{}
		}
		until, _ := call.Body["ResumeTime"].(string)
		c.forbidden[call.Code] = until
		delete(c.online, call.Code)
		c.order = nil
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

func (c *Tencent) stateLocked(code string) string {
	if _, is := c.forbidden[code]; is {
		return "forbid"
	}
	if c.online[code] {
		return "active"
	}
	return "inactive"
}

func (c *Tencent) pageLocked(call Call) (map[string]any, error) {
	n, _ := call.Body["PageNum"].(float64)
	size, _ := call.Body["PageSize"].(float64)
	if n < 1 || size < 10 || size > 100 {
		return nil, errors.New("InvalidParameter")
	}
	if c.order == nil {
		c.order = slices.Sorted(maps.Keys(c.online))
	}
	rows := []map[string]any{}
	for i := (int(n) - 1) * int(size); i < min(int(n)*int(size), len(c.order), 20_000); i++ {
		rows = append(rows, map[string]any{
			"StreamName": c.order[i], "AppName": c.App, "DomainName": c.Domain, "PublishTimeList": []map[string]string{{"PublishTime": "2026-01-01T00:00:00Z"}},
		})
	}
	total := len(c.order)
	return map[string]any{"TotalNum": total, "TotalPage": (total + int(size) - 1) / int(size), "PageNum": n, "PageSize": size, "OnlineInfo": rows}, nil
}

func (c *Tencent) searchLocked(call Call) (map[string]any, error) {
	offset, _ := call.Body["Offset"].(float64)
	limit, _ := call.Body["Limit"].(float64)
	if offset+limit > 5000 || limit < 1 {
		return nil, errors.New("InvalidParameterValue.Limit")
	}
	end := min(len(c.media), int(offset+limit))
	return map[string]any{"TotalCount": len(c.media), "MediaInfoSet": c.media[min(int(offset), end):end]}, nil
}
