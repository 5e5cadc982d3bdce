package hooks

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonObject are those of a JSON object, by their exact names. Providers differ,
// and one provider's versions do, in whether they write numbers as numbers or
// as strings.
type jsonObject map[string]json.RawMessage

// parseJSONObject reads one JSON object. It returns ErrMalformed for anything else, and
// where a member comes twice: a server that escapes a pusher's text badly would
// let it add its own.
func parseJSONObject(body []byte) (jsonObject, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrMalformed
	}
	m := jsonObject{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, ErrMalformed
		}
		key, _ := name.(string) // a decoder yields nothing else here
		var value json.RawMessage
		if _, twice := m[key]; twice || dec.Decode(&value) != nil {
			return nil, ErrMalformed
		}
		m[key] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, ErrMalformed
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, ErrMalformed
	}
	return m, nil
}

// text is a member that is a string or a number, "" when it is neither.
func (m jsonObject) text(name string) string {
	raw := m[name]
	if len(raw) == 0 {
		return ""
	}
	if c := raw[0]; c == '-' || '0' <= c && c <= '9' {
		return string(raw)
	}
	var s string
	if c := raw[0]; c != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// number is a member that is a whole number of at most 15 digits, not negative.
func (m jsonObject) number(name string) (n int64, ok bool) {
	s := m.text(name)
	if len(s) > 15 || !isDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// secondsAsMillis is a member in seconds, which may have a fraction. It is 0 where
// there is none.
func (m jsonObject) secondsAsMillis(name string) int64 { return parseSeconds(m.text(name)) }

// parseSeconds reads seconds, which may have a fraction; 0 is what is none.
func parseSeconds(seconds string) int64 {
	v, err := strconv.ParseFloat(seconds, 64)
	if err != nil || !(v > 0 && v < 1e12) {
		return 0
	}
	return int64(math.Round(v * 1000))
}

// isDigits reports whether s is of decimal digits, not too many.
func isDigits(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// isID reports whether s can name something in logs and evidence: printable
// ASCII, not too much of it.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isLocation reports whether s may say where a file lies: text of one line, not
// too long.
func isLocation(s string) bool {
	return s != "" && len(s) <= 2048 && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
