package signing

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Keys are what signs and verifies at one provider, and how. They hold secrets:
// never log them.
type Keys struct {
	Key       string // signs and verifies
	BackupKey string // verifies too; empty is none

	// Algorithm is for providers that let one choose: Tencent Live. Empty is MD5.
	Algorithm Algorithm

	// Delta is the validity that the provider adds to the time in a URL, in whole
	// seconds. It is subtracted from the time that is printed, so that a URL ends
	// when it should.
	Delta time.Duration
}

// Template signs URLs of the kind "a digest of these fields in this order, and the
// time, as two parameters of the query", which most CDNs have. It is written as the
// query with two places for them:
//
//	wsSecret={md5 key path time}&wsTime={time hex}
//
// The time is {time} in decimal Unix seconds, or {time hex}, or {time HEX}: eight
// hexadecimal digits of that case. The digest is one of md5, sha256, hmac-sha1 and
// hmac-sha256 (with the key), and how it is written: md5 or md5.hex in lower-case
// hexadecimal, md5.mid the 9th to 24th digit of that, md5.base64 in URL-safe Base64
// with padding, md5.rawbase64 without. The fields are key, domain, app, name (the
// stream, with the suffix of a transcoding template), path (the whole path with the
// file's ending), time as it is printed, and texts in 'single quotes'.
type Template struct {
	// Static after construction.
	keys   func() (key, backup string)
	delta  int64
	before string // what stands before the first place, between the two, and after
	middle string
	after  string

	signFirst    bool   // the digest comes before the time
	sign, moment string // the parameters of digest and time, with their =
	format       timeFormat
	algorithm    string
	encoding     string
	fields       []field
}

var _ Signer = (*Template)(nil)

// field is one part of what is hashed.
type field struct {
	name string // empty: text
	text string
}

type timeFormat byte

const (
	decimal  timeFormat = 'd'
	lowerHex timeFormat = 'x'
	upperHex timeFormat = 'X'
)

var (
	templateFields     = []string{"key", "domain", "app", "name", "path", "time"}
	templateAlgorithms = []string{"md5", "sha256", "hmac-sha1", "hmac-sha256"}
	templateEncodings  = []string{"hex", "mid", "base64", "rawbase64"}
)

// NewTemplate reads a template, or says what is wrong with it, or with the keys.
func NewTemplate(text string, k Keys) (*Template, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	t := &Template{keys: func() (string, string) { return k.Key, k.BackupKey }, delta: int64(k.Delta / time.Second)}
	if err := t.parse(text); err != nil {
		return nil, fmt.Errorf("signing: template: %w", err)
	}
	return t, nil
}

func (k *Keys) check() error {
	switch {
	case k.Key == "":
		return errors.New("signing: there is no key")
	case k.Delta < 0 || k.Delta%time.Second != 0:
		return fmt.Errorf("signing: delta %v must be whole seconds, zero or more", k.Delta)
	}
	return nil
}

func (t *Template) parse(text string) error {
	before, rest, ok := strings.Cut(text, "{")
	first, rest, ok2 := strings.Cut(rest, "}")
	middle, rest, ok3 := strings.Cut(rest, "{")
	second, after, ok4 := strings.Cut(rest, "}")
	if !ok || !ok2 || !ok3 || !ok4 || strings.ContainsAny(after, "{}") {
		return errors.New("it needs two places in braces: the digest, and the time")
	}
	for _, part := range []string{before, middle, after} {
		if strings.ContainsFunc(part, notInQuery) {
			return fmt.Errorf("%q cannot stand in a query", part)
		}
	}
	t.before, t.middle, t.after = before, middle, after
	names := [2]string{before[strings.LastIndexByte(before, '&')+1:], middle[strings.LastIndexByte(middle, '&')+1:]}
	if !isOpen(names[0]) || !isOpen(names[1]) || !strings.HasPrefix(middle, "&") || after != "" && after[0] != '&' {
		return errors.New("each place must be the whole value of a parameter, as in sign={md5 key path time}")
	}
	t.sign, t.moment, t.signFirst = names[0], names[1], true
	if first == "time" || strings.HasPrefix(first, "time ") {
		first, second = second, first
		t.sign, t.moment, t.signFirst = names[1], names[0], false
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(before+middle+after, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name == "" || seen[name] { // of two only the first would be verified
			return errors.New("each parameter needs a name, and none may be there twice")
		}
		seen[name] = true
	}
	switch second {
	case "time":
		t.format = decimal
	case "time hex":
		t.format = lowerHex
	case "time HEX":
		t.format = upperHex
	default:
		return fmt.Errorf("{%s} is none of {time}, {time hex}, {time HEX}", second)
	}
	return t.parseDigest(first)
}

// isOpen reports whether a parameter has its name and no value yet.
func isOpen(parameter string) bool {
	name, value, has := strings.Cut(parameter, "=")
	return name != "" && value == "" && has
}

func (t *Template) parseDigest(text string) error {
	how, fields, _ := strings.Cut(text, " ")
	t.algorithm, t.encoding = how, "hex"
	if algorithm, encoding, ok := strings.Cut(how, "."); ok {
		t.algorithm, t.encoding = algorithm, encoding
	}
	if !slices.Contains(templateAlgorithms, t.algorithm) {
		return fmt.Errorf("%q is none of %s", t.algorithm, strings.Join(templateAlgorithms, ", "))
	}
	if !slices.Contains(templateEncodings, t.encoding) {
		return fmt.Errorf("%q is none of %s", t.encoding, strings.Join(templateEncodings, ", "))
	}
	has := map[string]bool{}
	for rest := strings.TrimLeft(fields, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if rest[0] == '\'' {
			literal, more, ok := strings.Cut(rest[1:], "'")
			if !ok {
				return errors.New("a quote is not closed")
			}
			t.fields, rest = append(t.fields, field{text: literal}), more
			continue
		}
		name, more, _ := strings.Cut(rest, " ")
		if !slices.Contains(templateFields, name) {
			return fmt.Errorf("%q is none of %s, nor a text in single quotes", name, strings.Join(templateFields, ", "))
		}
		has[name], rest = true, more
		t.fields = append(t.fields, field{name: name})
	}
	switch keyed := strings.HasPrefix(t.algorithm, "hmac-"); {
	case keyed && has["key"]:
		return errors.New("an HMAC has the key already")
	case !keyed && !has["key"]:
		return errors.New("the digest does not cover the key: anybody could make it")
	case !has["time"]:
		return errors.New("the digest does not cover the time: URLs would never end")
	case !has["name"] && !has["path"]:
		return errors.New("the digest does not cover the stream: a URL of one would be one of all")
	}
	return nil
}

// notInQuery reports whether a character would have to be escaped.
func notInQuery(r rune) bool { return notInName(r) && r != '=' && r != '&' && r != '.' }

// AppendURL implements [Signer], for RTMP, and to play for FLV and HLS.
func (t *Template) AppendURL(dst []byte, res Resource, expires int64) []byte {
	dst, at, ok := res.appendAddress(dst)
	if !ok {
		return dst
	}
	var stack [inputSize]byte
	var moment [20]byte
	when := t.appendTime(moment[:0], expires-t.delta)
	path := append(stack[:0], dst[at:]...) // apart from dst, which grows
	key, _ := t.keys()
	dst = append(append(dst, '?'), t.before...)
	if !t.signFirst {
		dst = append(append(dst, when...), t.middle...)
	}
	dst = t.appendSign(dst, key, &res, path, when)
	if t.signFirst {
		dst = append(append(dst, t.middle...), when...)
	}
	return append(dst, t.after...)
}

func (t *Template) appendTime(dst []byte, unix int64) []byte {
	switch t.format {
	case decimal:
		return appendDecimal(dst, unix)
	case lowerHex:
		return appendLowerHex(dst, unix)
	default:
		return appendTxTime(dst, unix)
	}
}

// appendSign appends the digest as it is printed.
func (t *Template) appendSign(dst []byte, key string, res *Resource, path, when []byte) []byte {
	var stack [inputSize]byte
	var scratch [sha256.Size]byte
	input := stack[:0]
	for _, f := range t.fields {
		switch f.name {
		case "":
			input = append(input, f.text...)
		case "key":
			input = append(input, key...)
		case "domain":
			input = append(input, res.Domain...)
		case "app":
			input = append(input, res.App...)
		case "name":
			input = res.appendName(input)
		case "path":
			input = append(input, path...)
		case "time":
			input = append(input, when...)
		}
	}
	sum := scratch[:0]
	switch t.algorithm {
	case "md5":
		sum = MD5.sum(sum, input)
	case "sha256":
		sum = SHA256.sum(sum, input)
	case "hmac-sha1":
		sum = appendHMAC(sum, sha1Sum, key, input)
	case "hmac-sha256":
		sum = appendHMAC(sum, SHA256, key, input)
	}
	switch t.encoding {
	case "mid":
		var text [2 * sha256.Size]byte
		return append(dst, hex.AppendEncode(text[:0], sum)[8:24]...)
	case "base64":
		return base64.URLEncoding.AppendEncode(dst, sum)
	case "rawbase64":
		return base64.RawURLEncoding.AppendEncode(dst, sum)
	}
	return hex.AppendEncode(dst, sum)
}

// Verify implements [Signer]. The first value of each parameter counts, as it was
// sent; the time has ten decimal or eight hexadecimal digits, so that none of it can
// be taken from what is hashed beside it.
func (t *Template) Verify(res Resource, given string, now int64) error {
	sign, when := firstValue(given, strings.TrimSuffix(t.sign, "=")), firstValue(given, strings.TrimSuffix(t.moment, "="))
	if sign == "" || when == "" {
		return ErrMissing
	}
	ends, ok := t.parseTime(when)
	if !ok {
		return ErrMalformed
	}
	_, path, _ := res.place()
	key, backup := t.keys()
	matches := 0
	for _, key := range [...]string{key, backup} {
		if key != "" {
			matches |= subtle.ConstantTimeCompare(t.appendSign(nil, key, &res, path, []byte(when)), []byte(sign))
		}
	}
	if matches == 0 {
		return ErrMismatch
	}
	if now >= ends+t.delta {
		return ErrExpired
	}
	return nil
}

func (t *Template) parseTime(text string) (unix int64, ok bool) {
	switch t.format {
	case decimal:
		return parseDecimal(text)
	case lowerHex:
		return parseLowerHex(text)
	default:
		unix, ok = parseTxTime(text)
		return unix, ok && strings.ToUpper(text) == text
	}
}
