package webhooks

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"
)

// TestSignatureVector checks a fixed signature. This command computes it independently:
//
//	printf '%s' 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' |
//	openssl dgst -sha256 -mac HMAC -macopt hexkey:$(echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | xxd -p) -binary | base64
func TestSignatureVector(t *testing.T) {
	key, err := parseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	got := signatureHeader([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSignatures: the library of the scheme accepts each signature, and rejects it for
// another body.
func TestSignatures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), minSecret, maxSecret), 1, 3).Draw(t, "secrets")
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`).Draw(t, "id")
		body := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "body")
		var keys [][]byte
		for _, secret := range secrets {
			key, err := parseSecret(secretPrefix + base64.StdEncoding.EncodeToString(secret))
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key)
		}
		now := time.Now()
		h := http.Header{}
		h.Set(headerID, id)
		h.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
		h.Set(headerSignature, signatureHeader(keys, id, now, body))
		for i, secret := range secrets {
			receiver, err := standardwebhooks.NewWebhookRaw(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := receiver.Verify(body, h); err != nil {
				t.Fatalf("by secret %d: %v", i, err)
			}
			other := append([]byte{}, body...)
			other[rapid.IntRange(0, len(body)-1).Draw(t, "index")] ^= 1
			if receiver.Verify(other, h) == nil {
				t.Fatal("another body is accepted")
			}
		}
	})
}

func TestParseSecret(t *testing.T) {
	encode := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, isValid := range map[string]bool{
		testSecret:                           true,
		secretPrefix + encode(24):            true,
		secretPrefix + encode(64):            true,
		secretPrefix + encode(23):            false,
		secretPrefix + encode(65):            false,
		encode(32):                           false,
		"WHSEC_" + encode(24):                false,
		secretPrefix:                         false,
		"":                                   false,
		secretPrefix + "not base64 at all !": false,
		secretPrefix + strings.TrimRight(encode(32), "="): false,
		secretPrefix + encode(24) + " ":                   false,
	} {
		if _, err := parseSecret(secret); (err == nil) != isValid || err != nil && !errors.Is(err, ErrBadSecret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
