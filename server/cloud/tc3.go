package cloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// authorization signs a request of Tencent Cloud's API, version 3, which POSTs body
// as JSON to the root of host. See
// https://www.tencentcloud.com/document/api/215/38340.
func authorization(id, secret, service, host string, at time.Time, body []byte) string {
	const contentType, signed = "application/json; charset=utf-8", "content-type;host"
	date := at.UTC().Format("2006-01-02")
	scope := date + "/" + service + "/tc3_request"
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + host + "\n\n" + signed + "\n" + hexSum(body)
	text := "TC3-HMAC-SHA256\n" + strconv.FormatInt(at.Unix(), 10) + "\n" + scope + "\n" + hexSum([]byte(canonical))
	key := []byte("TC3" + secret)
	for _, part := range []string{date, service, "tc3_request"} {
		key = keyed(key, part)
	}
	return fmt.Sprintf("TC3-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", id, scope, signed, hex.EncodeToString(keyed(key, text)))
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func keyed(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
