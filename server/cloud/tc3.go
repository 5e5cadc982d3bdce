package cloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// jsonType is the content type of requests: what is signed is what is sent.
const jsonType = "application/json; charset=utf-8"

// tc3Authorization signs a request of Tencent Cloud's API, which posts a body of JSON to the root
// of a host, by TC3-HMAC-SHA256, and gives the Authorization header. The signature
// is good for five minutes from its time. See
// https://www.tencentcloud.com/document/api/215/38340.
func tc3Authorization(id, key, service, host string, at time.Time, body []byte) string {
	date := at.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	const signed = "content-type;host"
	request := "POST\n/\n\ncontent-type:" + jsonType + "\nhost:" + host + "\n\n" + signed + "\n" + hexSHA256(body)
	text := "TC3-HMAC-SHA256\n" + strconv.FormatInt(at.Unix(), 10) + "\n" + scope + "\n" + hexSHA256([]byte(request))

	chain := []byte("TC3" + key)
	for _, step := range []string{date, service, "tc3_request", text} {
		mac := hmac.New(sha256.New, chain)
		mac.Write([]byte(step))
		chain = mac.Sum(nil)
	}
	return "TC3-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(chain)
}

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
