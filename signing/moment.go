package signing

import (
	"strconv"
	"strings"
)

// Times in URLs have one length each: eight hexadecimal digits, ten decimal ones. A
// time of another length could have taken digits from what is hashed beside it (see
// [EndsInHexDigit]). What is outside of what they can say is moved to the nearer end.
const (
	decimalSize = 10
	maxDecimal  = 9_999_999_999
)

// appendDecimal appends Unix seconds as exactly ten decimal digits. The first is a
// zero only before September 2001.
func appendDecimal(dst []byte, unix int64) []byte {
	unix = min(max(unix, 0), maxDecimal)
	for least := int64(1_000_000_000); unix < least && least > 1; least /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, unix, 10)
}

// appendLowerHex appends Unix seconds as exactly eight lower-case hex digits.
func appendLowerHex(dst []byte, unix int64) []byte {
	at := len(dst)
	dst = appendTxTime(dst, unix)
	for i := range dst[at:] {
		if c := &dst[at+i]; *c >= 'A' {
			*c |= 0x20
		}
	}
	return dst
}

func parseDecimal(text string) (unix int64, ok bool) {
	if len(text) != decimalSize || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	unix, err := strconv.ParseInt(text, 10, 64)
	return unix, err == nil
}

func parseLowerHex(text string) (unix int64, ok bool) {
	unix, ok = parseTxTime(text)
	return unix, ok && strings.ToLower(text) == text
}
