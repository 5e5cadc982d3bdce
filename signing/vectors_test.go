package signing

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is an entry of testdata/signing.json: published by a provider, or computed
// without this package.
type vector struct {
	Name, Scheme, Expected string
	Inputs                 struct {
		Key, Stream, TxTime string
		Unix                int64
	}
}

// schemesElsewhere are the schemes that TestTencentVectors skips, with the reason.
var schemesElsewhere = map[string]string{
	"tencent-vod-hotlink":            "playback: TestTencentVODVectors",
	"tencent-api-or-callback-sign":   "callbacks: package hooks; the legacy API: package cloud",
	"tencent-callback-event-1":       "callbacks: package hooks",
	"tencent-cloud-api-v3":           "the API: package cloud",
	"aws-cloudfront-canned-rsa-sha1": "no signer: a key pair, and a policy",
	"akamai-edgeauth-2":              "no signer: a key in hexadecimal, and a list of paths",
	"wowza-securetoken-v2":           "no signer: parameters in the order of the alphabet, and the viewer's address",
	"bunnycdn-hs256":                 "no signer: a prefix before the digest",
}

// TestTencentVectors covers Tencent Live; TestProviderVectors the others.
func TestTencentVectors(t *testing.T) {
	covered := map[string]func(*testing.T, vector){
		"tencent-txsecret-md5":                        md5Vector,
		"tencent-txsecret-md5 (Huawei Live method B)": md5Vector,
		"tencent-txsecret-sha256":                     sha256Vector,
		"tencent-txtime-hex":                          txTimeVector,
	}
	seen := make(map[string]int)
	for _, v := range readVectors(t) {
		seen[v.Scheme]++
		if check, ok := covered[v.Scheme]; ok {
			t.Run(v.Name, func(t *testing.T) { check(t, v) })
		}
	}
	for scheme := range covered {
		if seen[scheme] == 0 {
			t.Errorf("no vector has scheme %q", scheme)
		}
	}
	for scheme := range seen {
		_, here := covered[scheme]
		if _, there := schemesElsewhere[scheme]; !here && !there && !slices.ContainsFunc(providerVectors, func(v providerVector) bool { return v.scheme == scheme }) {
			t.Errorf("scheme %q is not covered", scheme)
		}
	}
}

// readVectors reads the file entry by entry: the inputs of other schemes have other
// types.
func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	list := make([]vector, len(all))
	for i, raw := range all {
		var bad *json.UnmarshalTypeError
		if err := json.Unmarshal(raw, &list[i]); err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
	}
	return list
}

func md5Vector(t *testing.T, v vector)    { secretVector(t, v, MD5) }
func sha256Vector(t *testing.T, v vector) { secretVector(t, v, SHA256) }

func secretVector(t *testing.T, v vector, a Algorithm) {
	in := v.Inputs
	if in.Key == "" || in.Stream == "" || in.TxTime == "" {
		t.Fatal("the vector lacks an input")
	}
	if got := hex.EncodeToString(a.appendDigest(nil, []byte(in.Key+in.Stream+in.TxTime))); got != v.Expected {
		t.Fatalf("digest: got %s, want %s", got, v.Expected)
	}
	signer, err := NewTencentSigner(SignerConfig{Key: in.Key, Algorithm: a})
	if err != nil {
		t.Fatal(err)
	}
	query := "txSecret=" + v.Expected + "&txTime=" + in.TxTime
	if len(in.TxTime) != hexTimeSize { // the decimal one
		if err := signer.Verify(Resource{Stream: in.Stream}, query, 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("Verify: got %v, want ErrMalformed", err)
		}
		return
	}
	expires, err := strconv.ParseInt(in.TxTime, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Verify(Resource{Stream: in.Stream}, query, expires-1); err != nil {
		t.Errorf("Verify: %v", err)
	}
	if err := signer.Verify(Resource{Stream: in.Stream}, query, expires); !errors.Is(err, ErrExpired) {
		t.Errorf("Verify at the end: got %v, want ErrExpired", err)
	}
	if in.TxTime == strings.ToUpper(in.TxTime) {
		urlVector(t, signer, in.Stream, query, expires)
	}
}

// urlVector checks the bare name, and the name split at its template suffix.
func urlVector(t *testing.T, signer *TencentSigner, stream, query string, expires int64) {
	want := "rtmp://push.example.com/live/" + stream + "?" + query
	res := Resource{Domain: "push.example.com", App: "live", Stream: stream, Protocol: RTMP, Push: true}
	if got := string(signer.AppendURL(nil, res, expires)); got != want {
		t.Errorf("AppendURL: got %s, want %s", got, want)
	}
	if name, suffix, ok := strings.Cut(stream, "_"); ok {
		res.Stream, res.TemplateSuffix = name, suffix
		if got := string(signer.AppendURL(nil, res, expires)); got != want {
			t.Errorf("AppendURL with a template: got %s, want %s", got, want)
		}
	}
}

func txTimeVector(t *testing.T, v vector) {
	if got := string(upperHexTime.appendTime(nil, v.Inputs.Unix)); got != v.Expected {
		t.Errorf("got %s, want %s", got, v.Expected)
	}
}

// TestDeltaExample has the provider's example: a play txTime of 2018-12-01 08:30:00
// +08:00 on a domain with a validity of 12495 s expires at 11:58:15.
func TestDeltaExample(t *testing.T) {
	china := time.FixedZone("", 8*3600)
	signer, err := NewTencentSigner(SignerConfig{Key: "ngoeiq03", Delta: 12495 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Date(2018, 12, 1, 11, 58, 15, 0, china).Unix()
	res := Resource{Domain: "play.example.com", App: "live", Stream: "test01", Protocol: FLV}
	got := string(signer.AppendURL(nil, res, ends))
	want := "https://play.example.com/live/test01.flv?txSecret=ce797dc6238156d548ef945e6ad1ea20&txTime=5C01D608"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
