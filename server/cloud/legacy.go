package cloud

import (
	"cmp"
	"context"
	"crypto/md5" // the provider's choice, not ours
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// LegacyConfig is the account. It holds a secret: never log it.
type LegacyConfig struct {
	AppID string
	Key   string // the API authentication key
	URL   string // empty: http://fcgi.video.qcloud.com/common_access
}

// TencentLegacy is a client of the API that Tencent's live codes had before 2018,
// which older accounts go on using: https://cloud.tencent.com/document/product/267/7997.
// It asks for one stream at a time; a code is the channel id, with the bizid in front.
//
//	GET …?appid=…&interface=Live_Channel_GetStatus&Param.s.channel_id=8888_alice&t=…&sign=…
//	sign = lower-case hex of MD5 (key + t), t = Unix seconds at which it ends
//
// The provider documents plain HTTP only, and the sign covers none of the parameters:
// whoever sees a call can make others until t.
type TencentLegacy struct {
	// Static after construction.
	client *rateLimitedClient
	appID  string
	url    string
	key    func() string // a function: nothing that prints values looks into one
}

// NewTencentLegacy returns a client, or an error when something is missing or the URL
// is none.
func NewTencentLegacy(c LegacyConfig, o Options) (*TencentLegacy, error) {
	if c.AppID == "" || c.Key == "" {
		return nil, errors.New("cloud: tencent legacy: it takes an appid and its key")
	}
	link := cmp.Or(c.URL, "http://fcgi.video.qcloud.com/common_access")
	if u, err := url.Parse(link); err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("cloud: tencent legacy: its URL is none")
	}
	return &TencentLegacy{newClient(o), c.AppID, link, func() string { return c.Key }}, nil
}

// signatureTTL is for how long a call may be made: what clocks differ by, and no more.
const signatureTTL = 2 * time.Minute

// What the API answers with, ret.
const (
	retOK          = 0
	retRateLimited = 1202
	retEmpty       = 10003 // of recordings: there are none
	retNeverPushed = 20601 // nothing was ever pushed under this code
)

// numberOrString is a number or a text: the API writes most numbers as either.
type numberOrString string

// UnmarshalJSON takes a number, a text or null.
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

// call makes one call. It returns the answer's ret and its output.
func (t *TencentLegacy) call(ctx context.Context, action string, parameters url.Values) (ret int, output json.RawMessage, err error) {
	err = t.client.do(ctx, func() error {
		until := strconv.FormatInt(time.Now().Add(signatureTTL).Unix(), 10)
		sum := md5.Sum([]byte(t.key() + until))
		query := url.Values{"appid": {t.appID}, "interface": {action}, "t": {until}, "sign": {hex.EncodeToString(sum[:])}}
		maps.Copy(query, parameters)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"?"+query.Encode(), nil)
		if err != nil {
			return errors.New("cloud: tencent legacy: its URL is none")
		}
		status, answer, err := t.client.send(r)
		if err == nil {
			err = checkStatus(status)
		}
		if err != nil {
			return err
		}
		ret, output, err = decodeLegacyResponse(answer)
		return err
	})
	return ret, output, err
}

// decodeLegacyResponse reads an answer's outer part. It returns ErrRateLimited for the ret that
// says so.
func decodeLegacyResponse(answer []byte) (ret int, output json.RawMessage, err error) {
	var reply struct {
		Ret    *numberOrString
		Output json.RawMessage
	}
	if json.Unmarshal(answer, &reply) != nil || reply.Ret == nil {
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

// legacyError is the error of an answer whose ret says neither yes nor no.
func legacyError(action string, ret int) error { return &apiError{action, strconv.Itoa(ret)} }

// PushState asks for one stream, Live_Channel_GetStatus:
// https://cloud.tencent.com/document/product/267/9500. The answer has a row for each
// quality of the stream; none is no word about it, and an error, as is every ret but
// the one for a code that was never pushed to.
func (t *TencentLegacy) PushState(ctx context.Context, code string) (State, error) {
	const action = "Live_Channel_GetStatus"
	ret, output, err := t.call(ctx, action, url.Values{"Param.s.channel_id": {code}})
	switch {
	case err != nil:
		return 0, err
	case ret == retNeverPushed:
		return Offline, nil
	case ret != retOK:
		return 0, legacyError(action, ret)
	}
	return decodeLegacyState(output)
}

func decodeLegacyState(output []byte) (State, error) {
	var rows []struct{ Status numberOrString }
	if json.Unmarshal(output, &rows) != nil || len(rows) == 0 {
		return 0, errMalformed
	}
	state := Offline
	for _, row := range rows {
		switch row.Status {
		case "0":
		case "1":
			return Online, nil
		case "3":
			state = Forbidden
		default:
			return 0, errMalformed
		}
	}
	return state, nil
}

// CutPush ends the push of a stream, which may begin again at once.
func (t *TencentLegacy) CutPush(ctx context.Context, code string) error {
	return t.setStatus(ctx, code, 2)
}

// ForbidPush ends the push of a stream and refuses others until Allow. This call takes
// neither a time nor a reason: when the time is over, Allow is to be said.
func (t *TencentLegacy) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return t.setStatus(ctx, code, 0)
}

// AllowPush undoes Forbid.
func (t *TencentLegacy) AllowPush(ctx context.Context, code string) error {
	return t.setStatus(ctx, code, 1)
}

// setStatus is Live_Channel_SetStatus. Of a code that was never pushed to there is
// nothing to cut, and nothing to allow.
func (t *TencentLegacy) setStatus(ctx context.Context, code string, status int) error {
	const action = "Live_Channel_SetStatus"
	ret, _, err := t.call(ctx, action, url.Values{"Param.s.channel_id": {code}, "Param.n.status": {strconv.Itoa(status)}})
	if err != nil || ret == retOK || ret == retNeverPushed && status != 0 {
		return err
	}
	return legacyError(action, ret)
}
