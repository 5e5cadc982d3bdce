package cloud

import (
	"cmp"
	"context"
	"crypto/md5" // required by the provider
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strconv"
	"time"
)

// LegacyConfig configures the account. It contains a secret: never log it.
type LegacyConfig struct {
	AppID string
	Key   string // the API authentication key
	URL   string // empty: http://fcgi.video.qcloud.com/common_access
}

// TencentLegacy is a client of the API of Tencent's live codes from before 2018, which
// older accounts still use: https://cloud.tencent.com/document/product/267/7997. It has no
// list of online streams. A live code is the channel id, which includes the bizid.
//
//	GET …?appid=…&interface=Live_Channel_GetStatus&Param.s.channel_id=8888_alice&t=…&sign=…
//	sign = lower-case hex of MD5 (key + t), t = expiry in Unix seconds
//
// The provider documents only plain HTTP, and the signature covers no parameters: a
// captured call allows forged ones until t.
type TencentLegacy struct {
	// Static after construction.
	client *rateLimitedClient
	appID  string
	url    string
	key    func() string // a function, so that no formatting prints the key
}

// NewTencentLegacy returns a client, or an error if a required value is missing or the URL
// is invalid.
func NewTencentLegacy(c LegacyConfig, o Options) (*TencentLegacy, error) {
	if c.AppID == "" || c.Key == "" {
		return nil, errors.New("cloud: tencent legacy: appid and key are required")
	}
	link := cmp.Or(c.URL, "http://fcgi.video.qcloud.com/common_access")
	if u, err := url.Parse(link); err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("cloud: tencent legacy: invalid URL")
	}
	return &TencentLegacy{newRateLimitedClient(o), c.AppID, link, func() string { return c.Key }}, nil
}

// signatureTTL is the validity of a call: the tolerated difference of clocks.
const signatureTTL = 2 * time.Minute

// Result codes (ret) of the API.
const (
	retOK          = 0
	retRateLimited = 1202
	retEmpty       = 10003 // no recordings
	retNeverPushed = 20601 // there was never a push under this code
)

// numberOrString is a JSON number or string: the API writes most numbers as either.
type numberOrString string

// UnmarshalJSON accepts a number, a string or null.
func (s *numberOrString) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = numberOrString(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	*s = numberOrString(number)
	return nil
}

// callAPI makes one call and returns the result code and output of the response.
func (t *TencentLegacy) callAPI(ctx context.Context, action string, parameters url.Values) (ret int, output json.RawMessage, err error) {
	err = t.client.retryIfRateLimited(ctx, func() error {
		until := strconv.FormatInt(time.Now().Add(signatureTTL).Unix(), 10)
		sum := md5.Sum([]byte(t.key() + until))
		query := url.Values{"appid": {t.appID}, "interface": {action}, "t": {until}, "sign": {hex.EncodeToString(sum[:])}}
		maps.Copy(query, parameters)
		response, err := t.client.getOnce(ctx, t.url+"?"+query.Encode())
		if err == nil {
			ret, output, err = decodeLegacyResponse(response)
		}
		return err
	})
	return ret, output, err
}

// decodeLegacyResponse decodes the envelope of a response. It returns ErrRateLimited for
// retRateLimited.
func decodeLegacyResponse(response []byte) (ret int, output json.RawMessage, err error) {
	var reply struct {
		Ret    *numberOrString
		Output json.RawMessage
	}
	if json.Unmarshal(response, &reply) != nil || reply.Ret == nil {
		return 0, nil, errMalformed
	}
	if ret, err = strconv.Atoi(string(*reply.Ret)); err != nil {
		return 0, nil, errMalformed
	}
	if ret == retRateLimited {
		return 0, nil, ErrRateLimited
	}
	return ret, reply.Output, nil
}

// newLegacyError returns the error for an unexpected result code.
func newLegacyError(action string, ret int) error { return &apiError{action, strconv.Itoa(ret)} }

// IsOnline returns whether there is a push to a live code, by Live_Channel_GetStatus:
// https://cloud.tencent.com/document/product/267/9500. The response has a row for each
// quality of the stream. No rows, and all result codes except retOK and retNeverPushed,
// are errors.
func (t *TencentLegacy) IsOnline(ctx context.Context, code string) (isOnline bool, err error) {
	const action = "Live_Channel_GetStatus"
	ret, output, err := t.callAPI(ctx, action, url.Values{"Param.s.channel_id": {code}})
	switch {
	case err != nil:
		return false, err
	case ret == retNeverPushed:
		return false, nil
	case ret != retOK:
		return false, newLegacyError(action, ret)
	}
	return isOnlineByLegacyStatus(output)
}

// isOnlineByLegacyStatus returns whether a row of the output has a push.
func isOnlineByLegacyStatus(output []byte) (isOnline bool, err error) {
	var rows []struct{ Status numberOrString }
	if json.Unmarshal(output, &rows) != nil || len(rows) == 0 {
		return false, errMalformed
	}
	for _, row := range rows {
		switch row.Status {
		case "0", "3": // offline, forbidden
		case "1":
			return true, nil
		default:
			return false, errMalformed
		}
	}
	return false, nil
}

// CutPush ends the push of a stream. A new push may begin at once.
func (t *TencentLegacy) CutPush(ctx context.Context, code string) error {
	return t.setPushStatus(ctx, code, 2)
}

// ForbidPush ends the push of a stream and forbids new ones until AllowPush. The API has
// no end time and no reason: call AllowPush at the end.
func (t *TencentLegacy) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return t.setPushStatus(ctx, code, 0)
}

// AllowPush undoes ForbidPush.
func (t *TencentLegacy) AllowPush(ctx context.Context, code string) error {
	return t.setPushStatus(ctx, code, 1)
}

// setPushStatus calls Live_Channel_SetStatus. For a code without pushes so far, cutting and
// allowing do nothing.
func (t *TencentLegacy) setPushStatus(ctx context.Context, code string, status int) error {
	const action = "Live_Channel_SetStatus"
	ret, _, err := t.callAPI(ctx, action, url.Values{"Param.s.channel_id": {code}, "Param.n.status": {strconv.Itoa(status)}})
	if err != nil || ret == retOK || ret == retNeverPushed && status != 0 {
		return err
	}
	return newLegacyError(action, ret)
}
