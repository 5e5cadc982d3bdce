package signing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// providerTemplates are the templates of providers whose formula is one, each with
// its documentation.
var providerTemplates = map[string]string{
	// https://cloud.tencent.com/document/product/228/41623, type D.
	"tencent_cdn_d": "sign={md5 key path time}&t={time}",
	// https://support.huaweicloud.com/iLive-live/live_01_0049.html, method B: Tencent
	// Live's formula, without its SRT and WebRTC.
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

// providerSigners make the signers of the providers whose scheme needs credentials
// alone.
var providerSigners = map[string]func(credentials) Signer{
	"aliyun_a":      func(c credentials) Signer { return &typeASigner{c, "auth_key"} },
	"huawei_a":      func(c credentials) Signer { return &typeASigner{c, "auth_key"} },
	"tencent_cdn_a": func(c credentials) Signer { return &typeASigner{c, "sign"} },
	"aliyun_b":      newTypeBSigner,
	"tencent_cdn_b": newTypeBSigner,
	"tencent_cdn_c": newTypeCSigner,
}

// Providers returns the sorted names that NewSigner accepts.
func Providers() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(providerTemplates)), maps.Keys(providerSigners))
	return slices.Sorted(slices.Values(append(names, "tencent", "none", "template")))
}

// NewSigner returns the signer of one of Providers. template is for the provider
// "template" alone, see [TemplateSigner]. It returns an error when the provider is
// unknown, or when the configuration does not fit it.
func NewSigner(provider, template string, c SignerConfig) (signer Signer, err error) {
	if template != "" && provider != "template" {
		return nil, fmt.Errorf("signing: provider %s has no template", provider)
	}
	if c.Algorithm == SHA256 && provider != "tencent" {
		return nil, fmt.Errorf("signing: provider %s has no sha256", provider)
	}
	switch newSigner, providerTemplate := providerSigners[provider], providerTemplates[provider]; {
	case provider == "none":
		return unsignedSigner{}, nil
	case provider == "tencent":
		signer, err = NewTencentSigner(c)
	case provider == "template" || providerTemplate != "":
		signer, err = NewTemplateSigner(cmp.Or(providerTemplate, template), c)
	case newSigner != nil:
		var keys credentials
		if keys, err = newCredentials(c); err == nil {
			signer = newSigner(keys)
		}
	default:
		err = fmt.Errorf("signing: unknown provider %q: must be one of %s", provider, strings.Join(Providers(), ", "))
	}
	if err != nil {
		return nil, err // and no nil pointer in an interface
	}
	return signer, nil
}

// unsignedSigner makes URLs without a signature: everybody who knows a live code
// can push and play.
type unsignedSigner struct{}

// AppendURL implements [Signer].
func (unsignedSigner) AppendURL(dst []byte, res Resource, _ int64) []byte {
	dst, _, _ = res.appendUnsignedURL(dst)
	return dst
}

// Verify implements [Signer]: it accepts everything.
func (unsignedSigner) Verify(Resource, string, int64) error { return nil }
