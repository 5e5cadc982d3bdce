package signing

import (
	"crypto/sha1" // a provider's choice, not ours
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// TemplateSigner signs URLs whose query has "a digest of these fields in this order,
// and the time", which most CDNs have. Its template is the query with two
// placeholders:
//
//	wsSecret={md5 key path time}&wsTime={time hex}
//
// The time is {time} in decimal Unix seconds, or {time hex} or {time HEX}: eight
// hexadecimal digits of that case. The digest is md5, sha256, hmac-sha1 or
// hmac-sha256 (under the key), with its encoding: md5 or md5.hex in lower-case
// hexadecimal, md5.mid the 9th to 24th digit of that, md5.base64 in URL-safe Base64
// with padding, md5.rawbase64 without. The fields are key, domain, app, name (the
// stream, with the suffix of a transcoding template), path (the whole path with the
// file's extension), time as it is printed, and texts in 'single quotes'.
type TemplateSigner struct {
	// Static after construction.
	credentials
	literals      [3]string // the text before, between and after the placeholders
	isDigestFirst bool

	timeParameter string
	timeFormat    timeFormat

	digestParameter  string
	algorithm        string
	hmac, backupHMAC *hmacPool // of the two keys; nil unless the algorithm is an HMAC
	encoding         string
	fields           []inputField
}

var _ Signer = (*TemplateSigner)(nil)

// inputField is one part of the text that is hashed.
type inputField struct {
	name    string // empty: a literal
	literal string
}

var (
	timeFormats    = map[string]timeFormat{"time": decimalTime, "time hex": lowerHexTime, "time HEX": upperHexTime}
	fieldNames     = []string{"key", "domain", "app", "name", "path", "time"}
	algorithmNames = []string{"md5", "sha256", "hmac-sha1", "hmac-sha256"}
	hmacHashes     = map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha256": sha256.New}
	encodingNames  = []string{"hex", "mid", "base64", "rawbase64"}
)

// NewTemplateSigner parses a template. It returns an error when the template or the
// configuration is invalid.
func NewTemplateSigner(template string, c SignerConfig) (*TemplateSigner, error) {
	credentials, err := newCredentials(c)
	if err != nil {
		return nil, err
	}
	s := &TemplateSigner{credentials: credentials}
	if err := s.parse(template); err != nil {
		return nil, fmt.Errorf("signing: invalid template: %w", err)
	}
	if newHash := hmacHashes[s.algorithm]; newHash != nil {
		s.hmac, s.backupHMAC = newHMACPool(newHash, c.Key), newHMACPool(newHash, c.BackupKey)
	}
	return s, nil
}

func (s *TemplateSigner) parse(template string) error {
	before, rest, ok1 := strings.Cut(template, "{")
	first, rest, ok2 := strings.Cut(rest, "}")
	between, rest, ok3 := strings.Cut(rest, "{")
	second, after, ok4 := strings.Cut(rest, "}")
	if !ok1 || !ok2 || !ok3 || !ok4 || strings.ContainsAny(after, "{}") {
		return errors.New("it must have two placeholders in braces: the digest and the time")
	}
	s.literals = [...]string{before, between, after}
	if err := s.parseLiterals(); err != nil {
		return err
	}
	if first == "time" || strings.HasPrefix(first, "time ") {
		first, second = second, first
		s.digestParameter, s.timeParameter = s.timeParameter, s.digestParameter
		s.isDigestFirst = false
	}
	format, ok := timeFormats[second]
	if !ok {
		return fmt.Errorf("unknown time format {%s}: must be {time}, {time hex} or {time HEX}", second)
	}
	s.timeFormat = format
	return s.parseDigest(first)
}

// parseLiterals checks the text around the placeholders, and sets the parameters as
// if the digest came first.
func (s *TemplateSigner) parseLiterals() error {
	before, between, after := s.literals[0], s.literals[1], s.literals[2]
	query := before + between + after
	if strings.ContainsFunc(query, isNotInQuery) {
		return fmt.Errorf("%q has a character that must be escaped in a query", query)
	}
	first, ok1 := lastParameterWithoutValue(before)
	second, ok2 := lastParameterWithoutValue(between)
	if !ok1 || !ok2 || !strings.HasPrefix(between, "&") || after != "" && after[0] != '&' {
		return errors.New("each placeholder must be the whole value of a parameter, as in sign={md5 key path time}")
	}
	names := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name == "" || names[name] { // Verify reads only the first of two
			return errors.New("each parameter must have a name, and each name must be unique")
		}
		names[name] = true
	}
	s.digestParameter, s.timeParameter, s.isDigestFirst = first, second, true
	return nil
}

// lastParameterWithoutValue returns the name of the last parameter of a query, if it has no
// value yet.
func lastParameterWithoutValue(query string) (name string, ok bool) {
	name, value, hasValue := strings.Cut(query[strings.LastIndexByte(query, '&')+1:], "=")
	return name, name != "" && value == "" && hasValue
}

func (s *TemplateSigner) parseDigest(text string) error {
	digest, fields, _ := strings.Cut(text, " ")
	var hasEncoding bool
	if s.algorithm, s.encoding, hasEncoding = strings.Cut(digest, "."); !hasEncoding {
		s.encoding = "hex"
	}
	if !slices.Contains(algorithmNames, s.algorithm) {
		return fmt.Errorf("unknown digest %q: must be one of %s", s.algorithm, strings.Join(algorithmNames, ", "))
	}
	if !slices.Contains(encodingNames, s.encoding) {
		return fmt.Errorf("unknown encoding %q: must be one of %s", s.encoding, strings.Join(encodingNames, ", "))
	}
	for rest := strings.TrimLeft(fields, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var field inputField
		if rest[0] == '\'' {
			var isClosed bool
			if field.literal, rest, isClosed = strings.Cut(rest[1:], "'"); !isClosed {
				return errors.New("a quote is not closed")
			}
		} else if field.name, rest, _ = strings.Cut(rest, " "); !slices.Contains(fieldNames, field.name) {
			return fmt.Errorf("unknown field %q: must be one of %s, or a text in single quotes", field.name, strings.Join(fieldNames, ", "))
		}
		s.fields = append(s.fields, field)
	}
	return s.validateDigestCoverage()
}

func (s *TemplateSigner) validateDigestCoverage() error {
	covers := func(name string) bool {
		return slices.ContainsFunc(s.fields, func(f inputField) bool { return f.name == name })
	}
	switch isHMAC := strings.HasPrefix(s.algorithm, "hmac-"); {
	case isHMAC && covers("key"):
		return errors.New("an HMAC must not have the field key: it is keyed already")
	case !isHMAC && !covers("key"):
		return errors.New("the digest must cover the key: anybody could make it")
	case !covers("time"):
		return errors.New("the digest must cover the time: URLs would never expire")
	case !covers("name") && !covers("path"):
		return errors.New("the digest must cover the stream: a URL of one stream would open all")
	}
	return nil
}

// isNotInQuery reports whether a character would have to be escaped.
func isNotInQuery(r rune) bool { return isNotInName(r) && r != '=' && r != '&' && r != '.' }

// AppendURL implements [Signer], for RTMP, and to play for FLV and HLS.
func (s *TemplateSigner) AppendURL(dst []byte, res Resource, expiresUnix int64) []byte {
	dst, pathStart, ok := res.appendUnsignedURL(dst)
	if !ok {
		return dst
	}
	var pathStack [inputSize]byte
	var timeStack [20]byte
	timeText := s.timeFormat.appendTime(timeStack[:0], expiresUnix-s.delta)
	path := append(pathStack[:0], dst[pathStart:]...) // a copy: dst may be reallocated
	key, _ := s.keys()
	dst = append(append(dst, '?'), s.literals[0]...)
	if s.isDigestFirst {
		dst = s.appendEncodedDigest(dst, key, &res, path, timeText)
		dst = append(append(dst, s.literals[1]...), timeText...)
	} else {
		dst = append(append(dst, timeText...), s.literals[1]...)
		dst = s.appendEncodedDigest(dst, key, &res, path, timeText)
	}
	return append(dst, s.literals[2]...)
}

// appendEncodedDigest appends the digest in its encoding.
func (s *TemplateSigner) appendEncodedDigest(dst []byte, key string, res *Resource, path, timeText []byte) []byte {
	var stack [inputSize]byte
	var buf [sha256.Size]byte
	input, digest := s.appendDigestInput(stack[:0], key, res, path, timeText), buf[:0]
	switch primary, _ := s.keys(); {
	case s.hmac == nil:
		digest = Algorithm(s.algorithm).appendDigest(digest, input)
	case key == primary:
		digest = s.hmac.appendHMAC(digest, input)
	default:
		digest = s.backupHMAC.appendHMAC(digest, input)
	}
	switch s.encoding {
	case "mid":
		var encoded [2 * sha256.Size]byte
		return append(dst, hex.AppendEncode(encoded[:0], digest)[8:24]...)
	case "base64":
		return base64.URLEncoding.AppendEncode(dst, digest)
	case "rawbase64":
		return base64.RawURLEncoding.AppendEncode(dst, digest)
	}
	return hex.AppendEncode(dst, digest)
}

func (s *TemplateSigner) appendDigestInput(dst []byte, key string, res *Resource, path, timeText []byte) []byte {
	for _, f := range s.fields {
		switch f.name {
		case "":
			dst = append(dst, f.literal...)
		case "key":
			dst = append(dst, key...)
		case "domain":
			dst = append(dst, res.Domain...)
		case "app":
			dst = append(dst, res.App...)
		case "name":
			dst = res.appendStreamName(dst)
		case "path":
			dst = append(dst, path...)
		case "time":
			dst = append(dst, timeText...)
		}
	}
	return dst
}

// Verify implements [Signer]. The first value of each parameter counts, as it was
// sent.
func (s *TemplateSigner) Verify(res Resource, rawQuery string, nowUnix int64) error {
	digest, timeText := firstValue(rawQuery, s.digestParameter), firstValue(rawQuery, s.timeParameter)
	if digest == "" || timeText == "" {
		return ErrMissing
	}
	urlTime, ok := s.timeFormat.parseTime(timeText)
	if !ok {
		return ErrMalformed
	}
	path := res.path()
	return s.verifyDigestAndTime(digest, func(dst []byte, key string) []byte {
		return s.appendEncodedDigest(dst, key, &res, path, []byte(timeText))
	}, urlTime, nowUnix)
}
