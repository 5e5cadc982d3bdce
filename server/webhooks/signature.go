package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks scheme, see
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// secretPrefix is the prefix of a secret in base64.
const secretPrefix = "whsec_"

// Bounds of a secret in bytes, by the scheme.
const (
	minSecret = 24
	maxSecret = 64
)

// ErrBadSecret is returned when a secret does not consist of whsec_ and the base64 of 24
// to 64 bytes. Its text does not contain the secret.
var ErrBadSecret = errors.New("webhooks: a secret must be whsec_ and the base64 of 24 to 64 bytes")

func parseSecret(text string) (key []byte, err error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err = base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, ErrBadSecret
	}
	return key, nil
}

// signatureHeader returns the value of webhook-signature: for each key a signature
//
//	v1,base64(HMAC-SHA256(key, id.seconds.body))
//
// separated by spaces.
func signatureHeader(keys [][]byte, id string, now time.Time, body []byte) string {
	var b strings.Builder
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(' ')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(now.Unix(), 10) + "."))
		mac.Write(body)
		b.WriteString("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}
