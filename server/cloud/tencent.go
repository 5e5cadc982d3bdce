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

// TencentConfig is the account, and which pushes are asked about. It holds a secret:
// never log it.
type TencentConfig struct {
	SecretID  string
	SecretKey string
	Domain    string // of pushes
	App       string // of pushes

	// VODApp is the application of VOD that recordings are in, SubAppId. 0: the
	// account's own, which accounts of before the end of 2023 may leave out.
	VODApp int64

	URL    string // of the live API; empty: https://live.tencentcloudapi.com
	VODURL string // of VOD's; empty: https://vod.tencentcloudapi.com
}

// Tencent is a client of Tencent Cloud's API: live of version 2018-08-01, and VOD of
// version 2018-07-17 for recordings. A code is the stream name, which for a live code
// has the bizid in front.
type Tencent struct {
	// Static after construction.
	client      *rateLimitedClient
	domain, app string
	vodApp      int64
	live, vod   tencentAPI
	credentials func() (id, key string) // a function: nothing that prints values looks into one
}

// tencentAPI is one of the services.
type tencentAPI struct{ service, version, scheme, host string }

// NewTencent returns a client, or an error when something is missing or a URL is
// none.
func NewTencent(c TencentConfig, o Options) (*Tencent, error) {
	if c.SecretID == "" || c.SecretKey == "" || c.Domain == "" || c.App == "" {
		return nil, errors.New("cloud: tencent: it takes a secret id, its key, a push domain and an app")
	}
	t := &Tencent{
		client: newClient(o), domain: c.Domain, app: c.App, vodApp: c.VODApp,
		credentials: func() (id, key string) { return c.SecretID, c.SecretKey },
	}
	var err error
	if t.live, err = newTencentAPI("live", "2018-08-01", c.URL); err != nil {
		return nil, err
	}
	t.vod, err = newTencentAPI("vod", "2018-07-17", c.VODURL)
	return t, err
}

func newTencentAPI(service, version, link string) (tencentAPI, error) {
	u, err := url.Parse(cmp.Or(link, "https://"+service+".tencentcloudapi.com"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return tencentAPI{}, fmt.Errorf("cloud: tencent: the URL of the %s API is none", service)
	}
	return tencentAPI{service, version, u.Scheme, u.Host}, nil
}

// tencentStream is how requests name one.
type tencentStream struct {
	DomainName string
	AppName    string
	StreamName string `json:",omitempty"`
}

func (t *Tencent) streamName(code string) tencentStream { return tencentStream{t.domain, t.app, code} }

// call makes one call and reads its answer into reply, nil: there is nothing to read.
func (t *Tencent) call(ctx context.Context, to tencentAPI, action string, request, reply any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("cloud: tencent: %s: %w", action, err)
	}
	return t.client.do(ctx, func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.scheme+"://"+to.host+"/", bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("cloud: tencent: the URL of the %s API is none", to.service)
		}
		id, key := t.credentials()
		now := time.Now()
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("Authorization", tc3Authorization(id, key, to.service, to.host, now, body))
		r.Header.Set("X-TC-Action", action)
		r.Header.Set("X-TC-Version", to.version)
		r.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
		status, answer, err := t.client.send(r)
		if err != nil {
			return err
		}
		return decodeTencentResponse(status, answer, action, reply)
	})
}

// decodeTencentResponse reads an answer. Refusals come with HTTP 200 as well.
func decodeTencentResponse(status int, answer []byte, action string, reply any) error {
	var outer struct{ Response json.RawMessage }
	var inner struct {
		Error     *struct{ Code string }
		RequestID *string `json:"RequestId"`
	}
	if json.Unmarshal(answer, &outer) != nil || json.Unmarshal(outer.Response, &inner) != nil {
		return cmp.Or(checkStatus(status), errMalformed)
	}
	switch {
	case inner.Error != nil && strings.HasPrefix(inner.Error.Code, "RequestLimitExceeded"):
		return ErrRateLimited
	case inner.Error != nil:
		return &apiError{action, inner.Error.Code}
	case status != http.StatusOK:
		return checkStatus(status)
	case inner.RequestID == nil: // all answers have one
		return errMalformed
	case reply == nil:
		return nil
	}
	if json.Unmarshal(outer.Response, reply) != nil {
		return errMalformed
	}
	return nil
}

// PushState asks for one stream, DescribeLiveStreamState:
// https://www.tencentcloud.com/document/product/267/30796.
func (t *Tencent) PushState(ctx context.Context, code string) (State, error) {
	var reply struct{ StreamState string }
	if err := t.call(ctx, t.live, "DescribeLiveStreamState", t.streamName(code), &reply); err != nil {
		return 0, err
	}
	switch reply.StreamState {
	case "active":
		return Online, nil
	case "inactive":
		return Offline, nil
	case "forbid":
		return Forbidden, nil
	}
	return 0, errMalformed
}
