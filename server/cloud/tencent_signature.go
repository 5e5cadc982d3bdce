package cloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// jsonType is the content type of requests, which the signature covers.
const jsonType = "application/json; charset=utf-8"

// tc3Authorization returns the Authorization header (TC3-HMAC-SHA256) of a request that
// posts JSON to the root of a host of Tencent Cloud's API. The signature is valid for five
// minutes. See https://www.tencentcloud.com/document/api/215/38340.
func tc3Authorization(secretID, secretKey, service, host string, now time.Time, body []byte) string {
	date := now.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	const signedHeaders = "content-type;host"
	request := "POST\n/\n\ncontent-type:" + jsonType + "\nhost:" + host + "\n\n" + signedHeaders + "\n" + hexSHA256(body)
	stringToSign := "TC3-HMAC-SHA256\n" + strconv.FormatInt(now.Unix(), 10) + "\n" + scope + "\n" + hexSHA256([]byte(request))

	derived := []byte("TC3" + secretKey)
	for _, step := range []string{date, service, "tc3_request", stringToSign} {
		mac := hmac.New(sha256.New, derived)
		mac.Write([]byte(step))
		derived = mac.Sum(nil)
	}
	return "TC3-HMAC-SHA256 Credential=" + secretID + "/" + scope + ", SignedHeaders=" + signedHeaders + ", Signature=" + hex.EncodeToString(derived)
}

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
