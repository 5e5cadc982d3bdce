package signing

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// providerVector is a published or separately computed URL of a provider, which our
// signer must verify.
type providerVector struct {
	name, scheme       string
	provider, template string
	key                string
	res                Resource
	queryOrPath        string // with % for the digest from the file
	expires            int64
}

const (
	addressBoundTemplate = "md5={md5.rawbase64 time path '127.0.0.1' key}&expires={time}"
	baiduTemplate        = "timestamp={time}&token={hmac-sha256 domain '/' app '/' name ';' time}"
)

var providerVectors = []providerVector{
	{"aliyun-type-a", "aliyun-auth_key-A", "aliyun_a", "", "aliyuncdnexp1234", Resource{App: "video/standard", Stream: "1K.html"}, "auth_key=1444435200-0-0-%", 1444435200},
	{"aliyun-type-b", "aliyun-auth-B", "aliyun_b", "", "aliyuncdnexp1234", Resource{App: "4/44", Stream: "44c0909bcfc20a01afaf256ca99a8b8b.mp3"}, "/201508150800/%/4/44/44c0909bcfc20a01afaf256ca99a8b8b.mp3", 1439596800},
	{"tencent-cdn-type-a", "aliyun-auth_key-A (Tencent CDN: parameter sign)", "tencent_cdn_a", "", "dimtm5evg50ijsx2hvuwyfoiu65", Resource{Stream: "test.jpg"}, "sign=1582791032-im1acp76sx9sdqe601v-0-%", 1582791032},
	{"tencent-edgeone-type-a", "aliyun-auth_key-A", "aliyun_a", "", "DvYmqE81E1F9R791H6lmht", Resource{Stream: "foo.jpg"}, "auth_key=1721028437-Kv4cPTAAP5YTi-0-%", 1721028437},
	{"huawei-live-a", "huawei-auth_key-A", "huawei_a", "", "GCTbw44s6MPLh4GqgDpnfuFHgy25Enly", Resource{App: "livetest", Stream: "huawei1", Protocol: FLV}, "auth_key=1592639100-477b3bbc253f467b8def6711128c7bec-0-%", 1592639100},
	{"huawei-live-b", "tencent-txsecret-md5 (Huawei Live method B)", "huawei_b", "", "GCTbw44s6MPLh4GqgDpnfuFHgy25Enly", Resource{App: "livetest", Stream: "huawei1"}, "txSecret=%&txTime=5eed5888", 0x5eed5888},
	{"volcengine-live-b", "volc-volcSecret", "volcengine", "", "A1B2C3d4e5f6", Resource{App: "live", Stream: "livestream"}, "volcTime=1653632422&volcSecret=%", 1653632422},
	{"qiniu-cdn-timestamp", "qiniu-cdn-sign-t", "qiniu", "", "12345678", Resource{App: "DIR1/dir2", Stream: "vodfile.mp4"}, "sign=%&t=55bb9b80", 0x55bb9b80},
	{"qiniu-pili-expiry", "qiniu-pili-hmac-sha1", "qiniu_pili", "", "12345678", Resource{App: "testhub", Stream: "teststreamtitle"}, "expire=1584522520&token=%", 1584522520},
	{"ksyun-live", "ksyun-k", "kingsoft", "", "123456", Resource{App: "live", Stream: "stream"}, "t=1560096712&k=%", 1560096712},
	{"nginx-secure-link-md5", "nginx-secure_link_md5", "template", addressBoundTemplate, " secret", Resource{App: "s", Stream: "link"}, "md5=%&expires=2147483647", 2147483647},
	{"baidu-evs-hmac", "baidu-evs-token", "template", baiduTemplate, "abcdefg", Resource{Domain: "test.evs.com", App: "app", Stream: "stream"}, "timestamp=1590734594&token=%", 1590734594},
}

// TestEdgeOneVectors has the examples of EdgeOne's types B, C and D, see
// https://www.tencentcloud.com/document/product/1552/109330, …/109331 and …/109332. The
// names of type D's parameters are configured by domain.
func TestEdgeOneVectors(t *testing.T) {
	res := Resource{Stream: "foo.jpg"}
	for provider, tt := range map[string]struct {
		queryOrPath string
		expires     int64
	}{
		"tencent_cdn_b": {"/202407151533/d1f0b51c6894231fc12e054fcc7f0b3e/foo.jpg", 1721028780},
		"tencent_cdn_c": {"/6688749e8906a726c12fe1be3aacd016/6694d30a/foo.jpg", 0x6694d30a},
		"tencent_cdn_d": {"sign=cadcec4a04e67b9c2abf4b61c642a0dd&t=1721029907", 1721029907},
	} {
		s := newSigner(t, provider, "", SignerConfig{Key: "DvYmqE81E1F9R791H6lmht"})
		if err := s.Verify(res, tt.queryOrPath, tt.expires-1); err != nil {
			t.Errorf("%s: %v", provider, err)
		}
		if err := s.Verify(res, tt.queryOrPath, tt.expires); !errors.Is(err, ErrExpired) {
			t.Errorf("%s at its expiry: %v", provider, err)
		}
		checkTampering(t, s, res, tt.queryOrPath, tt.expires-1, false)
	}
}

func newSigner(t testing.TB, provider, template string, k SignerConfig) Signer {
	t.Helper()
	s, err := NewSigner(provider, template, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProviderVectors(t *testing.T) {
	expected := map[string]vector{}
	for _, v := range readVectors(t) {
		expected[v.Name] = v
	}
	for _, v := range providerVectors {
		t.Run(v.name, func(t *testing.T) {
			if expected[v.name].Scheme != v.scheme {
				t.Fatalf("no vector of scheme %q", v.scheme)
			}
			given := strings.Replace(v.queryOrPath, "%", expected[v.name].Expected, 1)
			s := newSigner(t, v.provider, v.template, SignerConfig{Key: v.key})
			if err := s.Verify(v.res, given, v.expires-1); err != nil {
				t.Fatalf("before the expiry: %v", err)
			}
			if err := s.Verify(v.res, given, v.expires); !errors.Is(err, ErrExpired) {
				t.Errorf("at the expiry: %v", err)
			}
			spare := newSigner(t, v.provider, v.template, SignerConfig{Key: "other", BackupKey: v.key, Delta: time.Minute})
			if err := spare.Verify(v.res, given, v.expires+59); err != nil {
				t.Errorf("with the backup key, and a minute added: %v", err)
			}
			checkTampering(t, s, v.res, given, v.expires-1, false)
		})
	}
}

// checkTampering replaces each byte of a signature and of the stream's name by every
// other byte, and expects a refusal. With ignoreCase, another case is no change.
func checkTampering(t *testing.T, s Signer, res Resource, queryOrPath string, nowUnix int64, ignoreCase bool) {
	t.Helper()
	replaceBytes := func(text string, verifies func(tampered string) bool) {
		for i := range text {
			for c := range 256 {
				tampered := text[:i] + string([]byte{byte(c)}) + text[i+1:]
				if tampered != text && verifies(tampered) {
					t.Errorf("%q verifies like %q", tampered, text)
				}
			}
		}
	}
	replaceBytes(queryOrPath, func(tampered string) bool {
		return !(ignoreCase && strings.EqualFold(tampered, queryOrPath)) && s.Verify(res, tampered, nowUnix) == nil
	})
	replaceBytes(res.Stream, func(tampered string) bool {
		other := res
		other.Stream = tampered
		return s.Verify(other, queryOrPath, nowUnix) == nil
	})
}

// TestTencentRejectsTampering: the digits of Tencent Live may be of either case.
func TestTencentRejectsTampering(t *testing.T) {
	for _, v := range readVectors(t) {
		if !strings.HasPrefix(v.Scheme, "tencent-txsecret-") || len(v.Inputs.TxTime) != hexTimeSize {
			continue
		}
		s := newSigner(t, "tencent", "", SignerConfig{Key: v.Inputs.Key})
		given := "txSecret=" + v.Expected + "&txTime=" + v.Inputs.TxTime
		if err := s.Verify(Resource{Stream: v.Inputs.Stream}, given, 0); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		checkTampering(t, s, Resource{Stream: v.Inputs.Stream}, given, 0, true)
	}
}

// TestProviderURLForms compares the URLs that each provider has for one stream.
func TestProviderURLForms(t *testing.T) {
	const digest = "0123456789abcdef0123456789abcdef"
	for provider, want := range map[string]string{
		"aliyun_a":      "https://d/live/8888_a.flv?auth_key=1500000000-%-0-" + digest,
		"huawei_a":      "https://d/live/8888_a.flv?auth_key=1500000000-%-0-" + digest,
		"tencent_cdn_a": "https://d/live/8888_a.flv?sign=1500000000-%-0-" + digest,
		"aliyun_b":      "https://d/201707141040/" + digest + "/live/8888_a.flv",
		"tencent_cdn_b": "https://d/201707141040/" + digest + "/live/8888_a.flv",
		"tencent_cdn_c": "https://d/" + digest + "/59682f00/live/8888_a.flv",
		"aliyun_c":      "https://d/live/8888_a.flv?KEY1=" + digest + "&KEY2=59682f00",
		"tencent_cdn_d": "https://d/live/8888_a.flv?sign=" + digest + "&t=1500000000",
		"huawei_b":      "https://d/live/8888_a.flv?txSecret=" + digest + "&txTime=59682f00",
		"huawei_d":      "https://d/live/8888_a.flv?hwSecret=" + digest + digest + "&hwTime=59682f00",
		"volcengine":    "https://d/live/8888_a.flv?volcTime=1500000000&volcSecret=" + digest,
		"qiniu":         "https://d/live/8888_a.flv?sign=" + digest + "&t=59682f00",
		"qiniu_pili":    "https://d/live/8888_a.flv?expire=1500000000&token=",
		"kingsoft":      "https://d/live/8888_a.flv?t=1500000000&k=" + digest[:16],
		"secure_link":   "https://d/live/8888_a.flv?md5=" + digest[:22] + "&expires=1500000000",
		"none":          "https://d/live/8888_a.flv",
	} {
		s := newSigner(t, provider, "", SignerConfig{Key: "key", Delta: time.Hour})
		got := string(s.AppendURL(nil, Resource{Domain: "d", App: "live", Stream: "8888_a", Protocol: FLV}, 1500003600))
		if !matchesForm(got, want) {
			t.Errorf("%s: got %s, want the form %s", provider, got, want)
		}
		if again := string(newSigner(t, provider, "", SignerConfig{Key: "key", Delta: time.Hour}).AppendURL(nil, Resource{Domain: "d", App: "live", Stream: "8888_a", Protocol: FLV}, 1500003600)); again != got {
			t.Errorf("%s: another node makes %s", provider, again)
		}
	}
}

// matchesForm compares URLs: the digits of a digest may be any characters, % stands
// for any text, and a form that ends in = may continue.
func matchesForm(got, want string) bool {
	if before, after, ok := strings.Cut(want, "%"); ok {
		return strings.HasPrefix(got, before) && matchesForm(got[len(got)-len(after):], after)
	}
	if strings.HasSuffix(want, "=") {
		return strings.HasPrefix(got, want)
	}
	if len(got) != len(want) {
		return false
	}
	digits := strings.Index(want, "0123456789abcdef")
	for i := range got {
		if got[i] != want[i] && (digits < 0 || i < digits || strings.IndexByte("/&?=", want[i]) >= 0) {
			return false
		}
	}
	return true
}

// TestProvidersVerifyTheirOwn: a signer verifies each URL that it signed, until its
// expiry, for its own stream alone, and with either key.
func TestProvidersVerifyTheirOwn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		provider := rapid.SampledFrom(Providers()).Draw(rt, "provider")
		template := ""
		if provider == "template" {
			template = rapid.SampledFrom([]string{addressBoundTemplate, baiduTemplate, "x=1&a={sha256 path key time}&b={time HEX}&y=2"}).Draw(rt, "template")
		}
		k := SignerConfig{Key: "one key", Delta: time.Duration(rapid.IntRange(0, 5000).Draw(rt, "delta")) * time.Second}
		s := newSigner(t, provider, template, k)
		res := Resource{
			Domain: "play.example.com", App: "live", Stream: rapid.StringMatching("8888_[a-z]{1,9}x").Draw(rt, "code"),
			TemplateSuffix: rapid.SampledFrom([]string{"", "hd"}).Draw(rt, "template suffix"),
			Protocol:       rapid.SampledFrom([]Protocol{RTMP, FLV, HLS}).Draw(rt, "protocol"),
		}
		expires := rapid.Int64Range(100_000, 1<<32-1).Draw(rt, "expires")
		url := string(s.AppendURL(nil, res, expires))
		if url == "" {
			if res.Protocol != RTMP || !strings.HasSuffix(provider, "_b") && provider != "tencent_cdn_c" {
				rt.Fatalf("%s has no URL of %s", provider, res.Protocol)
			}
			return
		}
		_, queryOrPath, hasQuery := strings.Cut(url, "?")
		if !hasQuery {
			queryOrPath = url[len("https://play.example.com"):]
		}
		rotated := k
		rotated.Key, rotated.BackupKey = "the next key", k.Key
		for _, v := range []Signer{s, newSigner(t, provider, template, rotated)} {
			if err := v.Verify(res, queryOrPath, expires-61); err != nil {
				rt.Fatalf("%s: %s: %v", provider, url, err)
			}
		}
		if provider == "none" {
			return
		}
		if err := s.Verify(res, queryOrPath, expires); !errors.Is(err, ErrExpired) {
			rt.Fatalf("%s at its expiry: %v", provider, err)
		}
		other := res
		other.Stream += "y"
		if err := s.Verify(other, queryOrPath, expires-61); !errors.Is(err, ErrMismatch) {
			rt.Fatalf("%s for another stream: %v", provider, err)
		}
		if err := s.Verify(res, "", expires-61); !errors.Is(err, ErrMissing) {
			rt.Fatalf("%s without a signature: %v", provider, err)
		}
	})
}

func TestNewSignerRejectsInvalidConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		provider, template string
		k                  SignerConfig
	}{
		"an unknown provider":        {"aliyun", "", SignerConfig{Key: "k"}},
		"no key":                     {"aliyun_a", "", SignerConfig{}},
		"part of a second":           {"qiniu", "", SignerConfig{Key: "k", Delta: time.Millisecond}},
		"sha256 where there is none": {"volcengine", "", SignerConfig{Key: "k", Algorithm: SHA256}},
		"a needless template":        {"qiniu", addressBoundTemplate, SignerConfig{Key: "k"}},
		"no template":                {"template", "", SignerConfig{Key: "k"}},
		"one place":                  {"template", "a={md5 key path time}", SignerConfig{Key: "k"}},
		"three places":               {"template", "a={md5 key path time}&b={time}&c={time}", SignerConfig{Key: "k"}},
		"no time":                    {"template", "a={md5 key path time}&b={when}", SignerConfig{Key: "k"}},
		"a time that is not covered": {"template", "a={md5 key path}&b={time}", SignerConfig{Key: "k"}},
		"a key that is not covered":  {"template", "a={md5 path time}&b={time}", SignerConfig{Key: "k"}},
		"no stream":                  {"template", "a={md5 key time}&b={time}", SignerConfig{Key: "k"}},
		"a key twice":                {"template", "a={hmac-sha1 key path time}&b={time}", SignerConfig{Key: "k"}},
		"an unknown field":           {"template", "a={md5 key path time host}&b={time}", SignerConfig{Key: "k"}},
		"an open quote":              {"template", "a={md5 key path time 'x}&b={time}", SignerConfig{Key: "k"}},
		"an unknown digest":          {"template", "a={crc key path time}&b={time}", SignerConfig{Key: "k"}},
		"an unknown encoding":        {"template", "a={md5.hexx key path time}&b={time}", SignerConfig{Key: "k"}},
		"a value of two":             {"template", "a=x{md5 key path time}&b={time}", SignerConfig{Key: "k"}},
		"a name twice":               {"template", "a={md5 key path time}&a={time}", SignerConfig{Key: "k"}},
		"the digest's name before":   {"template", "a=1&a={md5 key path time}&b={time}", SignerConfig{Key: "k"}},
		"the time's name before":     {"template", "b=7&a={md5 key path time}&b={time}", SignerConfig{Key: "k"}},
		"a name twice, after":        {"template", "a={md5 key path time}&b={time}&x=1&x=2", SignerConfig{Key: "k"}},
		"a value before the place":   {"template", "a=={md5 key path time}&b={time}", SignerConfig{Key: "k"}},
		"no name":                    {"template", "={md5 key path time}&b={time}", SignerConfig{Key: "k"}},
		"a parameter of nothing":     {"template", "a={md5 key path time}&b={time}&", SignerConfig{Key: "k"}},
		"what must be escaped":       {"template", "ä={md5 key path time}&b={time}", SignerConfig{Key: "k"}},
	} {
		s, err := NewSigner(tt.provider, tt.template, tt.k)
		if err == nil || s != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// TestProvidersPrintNoKey: no fmt verb prints a key of a signer.
func TestProvidersPrintNoKey(t *testing.T) {
	const key, backup = "a key that is secret", "another that is, too"
	signers := map[string]any{}
	for _, provider := range Providers() {
		template := ""
		if provider == "template" {
			template = addressBoundTemplate
		}
		signers[provider] = newSigner(t, provider, template, SignerConfig{Key: key, BackupKey: backup})
	}
	for _, provider := range []string{PlaybackTencentVOD, PlaybackSecureLink} {
		signers["playback "+provider] = newPlaybackSigner(t, PlaybackSignerConfig{Provider: provider, Key: key})
	}
	for name, v := range signers {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed := fmt.Sprintf(verb+verb, v, struct{ inner any }{v})
			for _, secret := range []string{key, backup, hex.EncodeToString([]byte(key)), hex.EncodeToString([]byte(backup))} {
				if strings.Contains(printed, secret) {
					t.Errorf("%s: %s prints a key", name, verb)
				}
			}
		}
	}
}

// TestPushSignerOfEachProvider: push URLs of a provider verify; a provider without
// push URLs is refused at construction.
func TestPushSignerOfEachProvider(t *testing.T) {
	for _, provider := range Providers() {
		for _, template := range []string{"", addressBoundTemplate, baiduTemplate} {
			if (provider == "template") != (template != "") {
				continue
			}
			signer := newSigner(t, provider, template, SignerConfig{Key: "key", Delta: time.Minute})
			p, err := NewPushSigner(PushSignerConfig{Signer: signer, Domain: "push.example.com", App: "live", TTL: time.Hour})
			if provider == "aliyun_b" || provider == "tencent_cdn_b" || provider == "tencent_cdn_c" {
				if err == nil {
					t.Errorf("%s has push URLs", provider)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", provider, err)
				continue
			}
			urls := p.URLsExpiringAt("8888_a", 1_800_000_000)
			if !strings.HasPrefix(urls.RTMP, "rtmp://push.example.com/live/8888_a") || urls.Server+urls.Key != urls.RTMP {
				t.Errorf("%s: %+v", provider, urls)
			}
			if provider != "tencent" && urls.SRT+urls.WebRTC != "" { // only Tencent has them
				t.Errorf("%s: %+v", provider, urls)
			}
			_, query, _ := strings.Cut(urls.RTMP, "?")
			if err := p.Verify("8888_a", query, 1_799_999_999); err != nil {
				t.Errorf("%s %s: %v", provider, template, err)
			}
			if err := p.Verify("8888_b", query, 1_799_999_999); provider != "none" && !errors.Is(err, ErrMismatch) {
				t.Errorf("%s %s, another stream: %v", provider, template, err)
			}
		}
	}
}

// TestPlaySignerVerifiesEveryDomain: the URL of every domain verifies, whatever its
// provider, also where the protocol is unknown. A refusal has the error of the most
// correct signature.
func TestPlaySignerVerifiesEveryDomain(t *testing.T) {
	signer := func(provider, key string) Signer {
		template := ""
		if provider == "template" {
			template = baiduTemplate
		}
		return newSigner(t, provider, template, SignerConfig{Key: key})
	}
	p, err := NewPlaySigner(PlaySignerConfig{
		App: "live", TTL: time.Hour, Protocols: []Protocol{FLV, HLS}, Domains: []Domain{
			{Name: "a.example.com", Signer: signer("tencent", "one")},
			{Name: "b.example.com", Signer: signer("aliyun_a", "two")},
			{Name: "c.example.com", Signer: signer("template", "three")},
			{Name: "d.example.com", Signer: signer("tencent_cdn_c", "four")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const expires = 1_800_000_000
	seen := map[string]bool{}
	for i := range 40 {
		code := fmt.Sprintf("8888_a%dx", i)
		for _, proto := range p.Protocols() {
			url := string(p.AppendURL(nil, proto, code, expires*1000))
			rest := strings.TrimPrefix(url, "https://")
			domain, path, _ := strings.Cut(rest, "/")
			seen[domain] = true
			_, queryOrPath, hasQuery := strings.Cut(path, "?")
			if !hasQuery {
				queryOrPath = "/" + path
			}
			for _, protocol := range []Protocol{proto, ""} {
				res := Resource{App: "live", Stream: code, Protocol: protocol}
				if err := p.Verify(res, queryOrPath, expires-1); err != nil {
					t.Errorf("%s: %v", url, err)
				}
				if err := p.Verify(res, queryOrPath, expires); !errors.Is(err, ErrExpired) {
					t.Errorf("%s at its expiry: %v", url, err)
				}
				res.Stream += "y"
				if err := p.Verify(res, queryOrPath, expires-1); !errors.Is(err, ErrMismatch) {
					t.Errorf("%s for another stream: %v", url, err)
				}
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("played from %v", seen)
	}
}

// TestHMACPoolEqualsStandardLibrary: reused states give the HMACs of new ones.
func TestHMACPoolEqualsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key, input := rapid.StringN(0, 100, 200).Draw(rt, "key"), rapid.SliceOfN(rapid.Byte(), 0, 900).Draw(rt, "input")
		for name, newHash := range hmacHashes {
			m := hmac.New(newHash, []byte(key))
			m.Write(input)
			if got := newHMACPool(newHash, key).appendHMAC(nil, input); !bytes.Equal(got, m.Sum(nil)) {
				rt.Fatalf("%s: %x", name, got)
			}
		}
	})
}

func TestProvidersDoNotAllocate(t *testing.T) {
	for _, provider := range Providers() {
		if provider == "template" {
			continue
		}
		s := newSigner(t, provider, "", SignerConfig{Key: "e12c46f2612d5106e2034781ab261ca3"})
		res := Resource{Domain: "play.example.com", App: "live", Stream: "8888_alice", Protocol: FLV}
		buf := make([]byte, 0, 512)
		if n := testing.AllocsPerRun(100, func() { buf = s.AppendURL(buf[:0], res, 1_800_000_000) }); n != 0 {
			t.Errorf("%s allocates %v times", provider, n)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, formula := range providerTemplates {
		f.Add(formula)
	}
	f.Add(addressBoundTemplate)
	f.Add("a=={md5 key path time}&b={time hex}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := NewTemplateSigner(text, SignerConfig{Key: "key"})
		if err != nil {
			return
		}
		res := Resource{Domain: "d", App: "live", Stream: "8888_a", Protocol: HLS}
		_, given, _ := strings.Cut(string(s.AppendURL(nil, res, 1_800_000_000)), "?")
		if err := s.Verify(res, given, 1_700_000_000); err != nil {
			t.Fatalf("%q signs %q: %v", text, given, err)
		}
	})
}

func BenchmarkProviders(b *testing.B) {
	for _, provider := range Providers() {
		if provider == "template" {
			continue
		}
		b.Run(provider, func(b *testing.B) {
			s := newSigner(b, provider, "", SignerConfig{Key: "e12c46f2612d5106e2034781ab261ca3"})
			res := Resource{Domain: "play.example.com", App: "live", Stream: "8888_alice", Protocol: FLV}
			buf := make([]byte, 0, 512)
			b.ReportAllocs()
			for b.Loop() {
				buf = s.AppendURL(buf[:0], res, 1_800_000_000)
			}
		})
	}
}
