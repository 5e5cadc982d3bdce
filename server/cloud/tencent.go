package cloud

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TencentConfig configures the account and the pushes. It contains a secret: never log
// it.
type TencentConfig struct {
	SecretID  string
	SecretKey string
	Domain    string // push domain
	App       string // application of pushes

	// VODApp is the VOD application (SubAppId) of recordings. 0: the account's default,
	// which accounts since the end of 2023 do not have.
	VODApp int64

	URL    string // of the live API; empty: https://live.tencentcloudapi.com
	VODURL string // of the VOD API; empty: https://vod.tencentcloudapi.com
}

// Tencent is a client of Tencent Cloud's API: live (version 2018-08-01), and VOD (version
// 2018-07-17) for recordings. A live code is the stream name, which includes the bizid.
type Tencent struct {
	// Static after construction.
	client      *rateLimitedClient
	domain, app string
	vodApp      int64
	live, vod   tencentEndpoint
	credentials func() (id, key string) // a function, so that no formatting prints the key
}

// tencentEndpoint is the address of one service.
type tencentEndpoint struct{ service, version, scheme, host string }

// NewTencent returns a client, or an error if a required value is missing or a URL is
// invalid.
func NewTencent(c TencentConfig, o Options) (*Tencent, error) {
	if c.SecretID == "" || c.SecretKey == "" || c.Domain == "" || c.App == "" {
		return nil, errors.New("cloud: tencent: secret id, secret key, push domain and app are required")
	}
	t := &Tencent{
		client: newRateLimitedClient(o), domain: c.Domain, app: c.App, vodApp: c.VODApp,
		credentials: func() (id, key string) { return c.SecretID, c.SecretKey },
	}
	var err error
	if t.live, err = newTencentEndpoint("live", "2018-08-01", c.URL); err != nil {
		return nil, err
	}
	t.vod, err = newTencentEndpoint("vod", "2018-07-17", c.VODURL)
	return t, err
}

func newTencentEndpoint(service, version, link string) (tencentEndpoint, error) {
	u, err := url.Parse(cmp.Or(link, "https://"+service+".tencentcloudapi.com"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return tencentEndpoint{}, fmt.Errorf("cloud: tencent: invalid URL of the %s API", service)
	}
	return tencentEndpoint{service, version, u.Scheme, u.Host}, nil
}

// tencentStreamID identifies a stream in requests.
type tencentStreamID struct {
	DomainName string
	AppName    string
	StreamName string `json:",omitempty"`
}

func (t *Tencent) streamID(code string) tencentStreamID {
	return tencentStreamID{t.domain, t.app, code}
}

// callAPI makes one call and decodes the response into reply, unless that is nil.
func (t *Tencent) callAPI(ctx context.Context, endpoint tencentEndpoint, action string, request, reply any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("cloud: tencent: %s: %w", action, err)
	}
	return t.client.retryIfRateLimited(ctx, func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.scheme+"://"+endpoint.host+"/", bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("cloud: tencent: invalid URL of the %s API", endpoint.service)
		}
		id, key := t.credentials()
		now := time.Now()
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("Authorization", tc3Authorization(id, key, endpoint.service, endpoint.host, now, body))
		r.Header.Set("X-TC-Action", action)
		r.Header.Set("X-TC-Version", endpoint.version)
		r.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
		status, response, err := t.client.sendOnce(r)
		if err != nil {
			return err
		}
		return decodeTencentResponse(status, response, action, reply)
	})
}

// decodeTencentResponse decodes a response. API errors may have status 200.
func decodeTencentResponse(status int, response []byte, action string, reply any) error {
	var outer struct{ Response json.RawMessage }
	var inner struct {
		Error     *struct{ Code string }
		RequestID *string `json:"RequestId"`
	}
	if json.Unmarshal(response, &outer) != nil || json.Unmarshal(outer.Response, &inner) != nil {
		return cmp.Or(checkStatusIs2xx(status), errMalformed)
	}
	switch {
	case inner.Error != nil && strings.HasPrefix(inner.Error.Code, "RequestLimitExceeded"):
		return ErrRateLimited
	case inner.Error != nil:
		return &apiError{action, inner.Error.Code}
	case status != http.StatusOK:
		return checkStatusIs2xx(status)
	case inner.RequestID == nil: // every response has one
		return errMalformed
	case reply == nil:
		return nil
	}
	if json.Unmarshal(outer.Response, reply) != nil {
		return errMalformed
	}
	return nil
}

// IsOnline returns whether there is a push to a live code, by DescribeLiveStreamState:
// https://www.tencentcloud.com/document/product/267/30796.
func (t *Tencent) IsOnline(ctx context.Context, code string) (isOnline bool, err error) {
	var reply struct{ StreamState string }
	if err := t.callAPI(ctx, t.live, "DescribeLiveStreamState", t.streamID(code), &reply); err != nil {
		return false, err
	}
	switch reply.StreamState {
	case "active":
		return true, nil
	case "inactive", "forbid":
		return false, nil
	}
	return false, errMalformed
}
