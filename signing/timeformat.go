package signing

import (
	"strconv"
	"strings"
	"time"
)

// timeFormat is how a provider writes Unix seconds in a URL. Each format has one
// length: digits of a longer time could have come from the text that is hashed
// beside it (see [EndsInHexDigit]). Times outside of a format's range are moved to
// its nearer end.
type timeFormat byte

const (
	decimalTime  timeFormat = iota // ten decimal digits
	lowerHexTime                   // eight lower-case hexadecimal digits
	upperHexTime                   // eight upper-case hexadecimal digits
	minuteTime                     // YYYYMMDDHHMM in UTC+8, rounded down
)

const (
	decimalTimeSize = 10
	maxDecimalTime  = 9_999_999_999
	hexTimeSize     = 8
	maxHexTime      = 1<<(4*hexTimeSize) - 1
	hexDigits       = "0123456789abcdefABCDEF"
	minuteLayout    = "200601021504"
)

// utc8 is the time zone of minuteTime.
var utc8 = time.FixedZone("", 8*60*60)

func (f timeFormat) appendTime(dst []byte, unix int64) []byte {
	switch f {
	case decimalTime:
		return appendTenDigitTime(dst, unix)
	case lowerHexTime:
		return appendHexTime(dst, unix, "0123456789abcdef")
	case upperHexTime:
		return appendHexTime(dst, unix, "0123456789ABCDEF")
	default:
		return time.Unix(unix, 0).In(utc8).AppendFormat(dst, minuteLayout)
	}
}

func (f timeFormat) parseTime(text string) (unix int64, ok bool) {
	switch f {
	case decimalTime:
		return parseTenDigitTime(text)
	case lowerHexTime:
		unix, ok = parseHexTime(text)
		return unix, ok && strings.ToLower(text) == text
	case upperHexTime:
		unix, ok = parseHexTime(text)
		return unix, ok && strings.ToUpper(text) == text
	default:
		t, err := time.ParseInLocation(minuteLayout, text, utc8)
		return t.Unix(), err == nil && len(text) == len(minuteLayout)
	}
}

// appendTenDigitTime pads with zeros, which times before September 2001 need.
func appendTenDigitTime(dst []byte, unix int64) []byte {
	unix = min(max(unix, 0), maxDecimalTime)
	for power := int64(1_000_000_000); unix < power && power > 1; power /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, unix, 10)
}

func appendHexTime(dst []byte, unix int64, digits string) []byte {
	unix = min(max(unix, 0), maxHexTime)
	for shift := 4 * (hexTimeSize - 1); shift >= 0; shift -= 4 {
		dst = append(dst, digits[unix>>shift&0xF])
	}
	return dst
}

func parseTenDigitTime(text string) (unix int64, ok bool) {
	if len(text) != decimalTimeSize || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	unix, err := strconv.ParseInt(text, 10, 64)
	return unix, err == nil
}

// parseHexTime accepts digits of either case.
func parseHexTime(text string) (unix int64, ok bool) {
	if len(text) != hexTimeSize || strings.Trim(text, hexDigits) != "" { // ParseInt would accept a sign
		return 0, false
	}
	unix, err := strconv.ParseInt(text, 16, 64)
	return unix, err == nil
}
