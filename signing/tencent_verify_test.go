package signing_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"onair/signing"
)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestTencentVerify(t *testing.T) {
	good := md5Hex(key + code + "5C271099")
	for _, tt := range []struct {
		name, query string
		want        error
	}{
		{"as signed", "txSecret=" + good + "&txTime=5C271099", nil},
		{"among others, in any order", "bizid=8888&txTime=5C271099&record=flv&txSecret=" + good, nil},
		{"time in lower case", "txSecret=" + good + "&txTime=5c271099", nil},
		{"time in mixed case", "txSecret=" + md5Hex(key+code+"5c2710aB") + "&txTime=5c2710aB", nil},
		{"signed in lower case, sent in upper", "txSecret=" + md5Hex(key+code+"5c2710ab") + "&txTime=5C2710AB", nil},
		{"secret in upper case", "txSecret=" + strings.ToUpper(good) + "&txTime=5C271099", nil},
		{"sha256", "txSecret=" + sha256Hex(key+code+"5C271099") + "&txTime=5C271099", nil},
		{"backup key", "txSecret=" + md5Hex(backup+code+"5C271099") + "&txTime=5C271099", nil},
		{"first value counts", "txSecret=" + good + "&txTime=5C271099&txTime=FFFFFFFF&txSecret=00", nil},

		{"empty", "", signing.ErrMissing},
		{"no secret", "txTime=5C271099", signing.ErrMissing},
		{"no time", "txSecret=" + good, signing.ErrMissing},
		{"first value is none", "txSecret&txSecret=" + good + "&txTime=5C271099", signing.ErrMissing},
		{"other case of the name", "txsecret=" + good + "&txTime=5C271099", signing.ErrMissing},

		{"nine digits", "txSecret=" + md5Hex(key+code+"15C271099") + "&txTime=15C271099", signing.ErrMalformed},
		{"seven digits", "txSecret=" + md5Hex(key+code+"5C27109") + "&txTime=5C27109", signing.ErrMalformed},
		{"decimal", "txSecret=" + md5Hex(key+code+"1546064025") + "&txTime=1546064025", signing.ErrMalformed},
		{"a sign", "txSecret=" + md5Hex(key+code+"+5C27109") + "&txTime=+5C27109", signing.ErrMalformed},
		{"an underscore", "txSecret=" + md5Hex(key+code+"5C_71099") + "&txTime=5C_71099", signing.ErrMalformed},
		{"escaped", "txSecret=" + good + "&txTime=%35C271099", signing.ErrMalformed},
		{"short secret", "txSecret=" + good[1:] + "&txTime=5C271099", signing.ErrMalformed},
		{"long secret", "txSecret=" + good + "00&txTime=5C271099", signing.ErrMalformed},
		{"secret not hex", "txSecret=" + good[1:] + "x&txTime=5C271099", signing.ErrMalformed},

		{"other secret", "txSecret=" + md5Hex("") + "&txTime=5C271099", signing.ErrMismatch},
		{"other time", "txSecret=" + good + "&txTime=5C27109A", signing.ErrMismatch},
		{"other key", "txSecret=" + md5Hex("x"+code+"5C271099") + "&txTime=5C271099", signing.ErrMismatch},
		{"no key", "txSecret=" + md5Hex(code+"5C271099") + "&txTime=5C271099", signing.ErrMismatch},
		{"other stream", "txSecret=" + md5Hex(key+"8888_bob"+"5C271099") + "&txTime=5C271099", signing.ErrMismatch},

		{"expired", "txSecret=" + md5Hex(key+code+"5C270000") + "&txTime=5C270000", signing.ErrExpired},
		{"expired, and the second value is not", "txSecret=" + md5Hex(key+code+"5C270000") + "&txTime=5C270000&txTime=5C271099", signing.ErrExpired},
		{"expired and forged", "txSecret=" + good + "&txTime=5C270000", signing.ErrMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, algorithm := range []signing.Algorithm{signing.MD5, signing.SHA256} {
				signer := newTencentSigner(t, signing.SignerConfig{BackupKey: backup, Algorithm: algorithm})
				if err := signer.Verify(signing.Resource{Stream: code}, tt.query, expires-1); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}
		})
	}
}

func TestEmptyBackupKeyVerifiesNothing(t *testing.T) {
	query := "txSecret=" + md5Hex(code+"5C271099") + "&txTime=5C271099"
	if err := newTencentSigner(t, signing.SignerConfig{}).Verify(signing.Resource{Stream: code}, query, 0); !errors.Is(err, signing.ErrMismatch) {
		t.Errorf("an empty backup key verifies: %v", err)
	}
}

func TestEndsInHexDigit(t *testing.T) {
	for code, want := range map[string]bool{
		"8888_alice": true, "8888_0": true, "8888_9": true, "a": true, "f": true, "A": true, "F": true,
		"8888_alice_x": false, "8888_bog": false, "8888_G": false, "8888_": false, "8888_-": false, "": false, "é": false,
	} {
		if got := signing.EndsInHexDigit(code); got != want {
			t.Errorf("EndsInHexDigit(%q) = %v", code, got)
		}
	}
}

// hexLikeNames draws names that look like times.
func hexLikeNames() *rapid.Generator[string] { return rapid.StringMatching(`[0-9a-fA-Fx_-]{1,24}`) }

func drawTencent(t *rapid.T) *signing.TencentSigner {
	s, err := signing.NewTencentSigner(signing.SignerConfig{
		Key:       rapid.StringMatching(`[0-9a-z]{1,40}`).Draw(t, "key"),
		BackupKey: rapid.StringMatching(`[0-9a-z]{0,40}`).Draw(t, "backup"),
		Algorithm: rapid.SampledFrom([]signing.Algorithm{"", signing.MD5, signing.SHA256}).Draw(t, "algorithm"),
		Delta:     time.Duration(rapid.IntRange(0, 100_000).Draw(t, "delta")) * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signedQuery returns the query of an RTMP URL of stream.
func signedQuery(s signing.Signer, stream, template string, expires int64) string {
	res := signing.Resource{Domain: "d", App: "live", Stream: stream, TemplateSuffix: template, Protocol: signing.RTMP}
	_, query, _ := strings.Cut(string(s.AppendURL(nil, res, expires)), "?")
	return query
}

func TestTencentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		signer := drawTencent(t)
		stream := hexLikeNames().Draw(t, "stream")
		name, template := stream, rapid.StringMatching(`|hd|550`).Draw(t, "template")
		if template != "" {
			name += "_" + template
		}
		expires := rapid.Int64Range(100_000, 1<<32-1).Draw(t, "expires")
		query := signedQuery(signer, stream, template, expires)
		if err := signer.Verify(signing.Resource{Stream: name}, query, expires-1); err != nil {
			t.Fatalf("before the end: %v", err)
		}
		if err := signer.Verify(signing.Resource{Stream: name}, query, expires); !errors.Is(err, signing.ErrExpired) {
			t.Fatalf("at the end: got %v, want ErrExpired", err)
		}
		if err := signer.Verify(signing.Resource{Stream: name + "x"}, query, expires-1); !errors.Is(err, signing.ErrMismatch) {
			t.Fatalf("another stream: got %v, want ErrMismatch", err)
		}
	})
}

// TestStreamTimeBorderCannotShift moves the border between stream and txTime to every
// place in the hashed text: only the signed pair may verify.
func TestStreamTimeBorderCannotShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		signer := drawTencent(t)
		stream := hexLikeNames().Draw(t, "stream")
		query := signedQuery(signer, stream, "", rapid.Int64Range(100_000, 1<<32-1).Draw(t, "expires"))
		secret, txTime, _ := strings.Cut(query, "&txTime=")
		hashed := stream + txTime
		for border := range len(hashed) + 1 {
			err := signer.Verify(signing.Resource{Stream: hashed[:border]}, secret+"&txTime="+hashed[border:], 0)
			if (err == nil) != (border == len(stream)) {
				t.Fatalf("stream %q, txTime %q: %v", hashed[:border], hashed[border:], err)
			}
		}
	})
}

// TestShiftedBorderIsMalformed has the example of EndsInHexDigit.
func TestShiftedBorderIsMalformed(t *testing.T) {
	signer := newTencentSigner(t, signing.SignerConfig{})
	query := "txSecret=" + md5Hex(key+"8888_alice1"+"579ACB15")
	if err := signer.Verify(signing.Resource{Stream: "8888_alice1"}, query+"&txTime=579ACB15", 0); err != nil {
		t.Errorf("the signed one: %v", err)
	}
	if err := signer.Verify(signing.Resource{Stream: "8888_alice"}, query+"&txTime=1579ACB15", 0); !errors.Is(err, signing.ErrMalformed) {
		t.Errorf("the forged one: got %v, want ErrMalformed", err)
	}
}

// FuzzVerify compares Verify with a second, plain implementation of the formula.
func FuzzVerify(f *testing.F) {
	signer := newTencentSigner(f, signing.SignerConfig{BackupKey: backup, Delta: time.Minute})
	f.Add(code, signedQuery(signer, code, "", expires), int64(expires-1))
	f.Add(code, "txTime=5c2710ab&txSecret="+sha256Hex(backup+code+"5C2710AB"), int64(0))
	f.Add("8888_alice", "txSecret="+md5Hex(key+"8888_alice1"+"579ACB15")+"&txTime=1579ACB15", int64(0))
	f.Add("", "txSecret=&&=&txTime", int64(-1))
	f.Fuzz(func(t *testing.T, stream, query string, now int64) {
		err := signer.Verify(signing.Resource{Stream: stream}, query, now)
		if err == nil != satisfiesFormula(stream, query, now) {
			t.Errorf("stream %q, query %q, now %d: %v", stream, query, now, err)
		}
	})
}

func satisfiesFormula(stream, query string, now int64) bool {
	values := make(url.Values)
	for pair := range strings.SplitSeq(query, "&") { // url.ParseQuery unescapes
		name, value, _ := strings.Cut(pair, "=")
		values.Add(name, value)
	}
	secret, txTime := strings.ToLower(values.Get("txSecret")), values.Get("txTime")
	unix, err := strconv.ParseUint(txTime, 16, 32)
	if err != nil || len(txTime) != 8 || now >= int64(unix)+60 {
		return false
	}
	for _, key := range []string{key, backup} {
		for _, spelling := range []string{txTime, strings.ToUpper(txTime), strings.ToLower(txTime)} {
			if input := key + stream + spelling; secret == md5Hex(input) || secret == sha256Hex(input) {
				return true
			}
		}
	}
	return false
}
