package signing

import (
	"fmt"
	"slices"
	"strings"
)

// formulas are the providers that are templates: a line each, with where it is
// documented.
var formulas = map[string]string{
	// https://cloud.tencent.com/document/product/228/41623, type D.
	"tencent_cdn_d": "sign={md5 key path time}&t={time}",
	// https://support.huaweicloud.com/iLive-live/live_01_0049.html, method B: Tencent
	// Live's formula, of whose forms of URLs it is known to have only these.
	"huawei_b": "txSecret={md5 key name time}&txTime={time hex}",
	// The same page, method D.
	"huawei_d": "hwSecret={hmac-sha256 name time}&hwTime={time hex}",
	// https://www.volcengine.com/docs/6469/107759, method B.
	"volcengine": "volcTime={time}&volcSecret={md5 '/' app '/' name key time}",
	// https://developer.qiniu.com/fusion/3841.
	"qiniu": "sign={md5 key path time}&t={time hex}",
	// https://developer.qiniu.com/pili/6678.
	"qiniu_pili": "expire={time}&token={hmac-sha1.base64 path '?expire=' time}",
	// https://help.aliyun.com/document_detail/85115.html, in parameters.
	"aliyun_c": "KEY1={md5 key path time}&KEY2={time hex}",
	// https://docs.ksyun.com/documents/1062.
	"kingsoft": "t={time}&k={md5.mid key name time}",
	// https://nginx.org/en/docs/http/ngx_http_secure_link_module.html, with
	// secure_link_md5 "$secure_link_expires$uri KEY".
	"secure_link": "md5={md5.rawbase64 time path ' ' key}&expires={time}",
}

// Providers are the names that New knows.
func Providers() []string {
	names := []string{"tencent", "tencent_cdn_a", "tencent_cdn_b", "tencent_cdn_c", "aliyun_a", "aliyun_b", "huawei_a", "template", "none"}
	for name := range formulas {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New returns the signer of a provider: one of Providers. template is what the
// provider of that name is to read, see [Template].
func New(provider, template string, k Keys) (Signer, error) {
	if template != "" && provider != "template" {
		return nil, fmt.Errorf("signing: %s needs no template", provider)
	}
	if k.Algorithm == SHA256 && provider != "tencent" {
		return nil, fmt.Errorf("signing: %s has no sha256", provider)
	}
	if formula, ok := formulas[provider]; ok {
		return made(NewTemplate(formula, k))
	}
	switch provider {
	case "tencent":
		return made(NewTencent(k))
	case "aliyun_a", "huawei_a":
		return made(newTypeA("auth_key", k))
	case "tencent_cdn_a":
		return made(newTypeA("sign", k))
	case "aliyun_b", "tencent_cdn_b":
		return made(newInPath(false, k))
	case "tencent_cdn_c":
		return made(newInPath(true, k))
	case "template":
		return made(NewTemplate(template, k))
	case "none":
		return Unsigned{}, nil
	}
	return nil, fmt.Errorf("signing: %q is none of %s", provider, strings.Join(Providers(), ", "))
}

// made has a signer that was refused be none.
func made[S Signer](s S, err error) (Signer, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Unsigned is the signer where nothing is signed: whoever knows a live code can
// push, or play.
type Unsigned struct{}

// AppendURL implements [Signer].
func (Unsigned) AppendURL(dst []byte, res Resource, _ int64) []byte {
	dst, _, _ = res.appendAddress(dst)
	return dst
}

// Verify implements [Signer]: nothing is refused.
func (Unsigned) Verify(Resource, string, int64) error { return nil }
