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

// jsonObject holds the members of a JSON object by their exact names. Providers, and
// versions of one provider, write numbers as numbers or as strings.
type jsonObject map[string]json.RawMessage

// parseStrictJSONObject parses one JSON object. It returns ErrMalformed for anything else, and
// for duplicate members: a server that escapes a pusher's text badly would let the
// pusher add members.
func parseStrictJSONObject(body []byte) (jsonObject, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrMalformed
	}
	o := jsonObject{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, ErrMalformed
		}
		name, _ := token.(string) // a decoder yields nothing else here
		var value json.RawMessage
		if _, exists := o[name]; exists || dec.Decode(&value) != nil {
			return nil, ErrMalformed
		}
		o[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, ErrMalformed
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, ErrMalformed
	}
	return o, nil
}

// stringOrNumber returns a member that is a string or a number, or "".
func (o jsonObject) stringOrNumber(member string) string {
	raw := o[member]
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

// wholeNumber returns a member that is a whole number from 0 on with at most 15 digits.
func (o jsonObject) wholeNumber(member string) (n int64, ok bool) {
	s := o.stringOrNumber(member)
	if len(s) > 15 || !isDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// secondsAsMillis returns a member in seconds as milliseconds, or 0.
func (o jsonObject) secondsAsMillis(member string) int64 {
	return parseSecondsAsMillis(o.stringOrNumber(member))
}

// parseSecondsAsMillis parses seconds with an optional fraction, and returns milliseconds, or 0
// if it is no positive number.
func parseSecondsAsMillis(text string) (milliseconds int64) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v < 1e12) {
		return 0
	}
	return int64(math.Round(v * 1000))
}

// isDigits reports whether s has 1 to 20 decimal digits and nothing else.
func isDigits(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// isPrintableID reports whether s may be an identifier in logs and evidence: 1 to 64 bytes of
// printable ASCII.
func isPrintableID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isPrintableLocation reports whether s may be the location of a file: 1 to 2048 bytes of text
// without control characters.
func isPrintableLocation(s string) bool {
	return s != "" && len(s) <= 2048 && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
