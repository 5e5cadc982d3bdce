package signing

import "cmp"

// Protocol is a way to push or play. The protocols of a [PlaySigner] with
// transcoding templates also have a template's name, as in "flv_hd".
type Protocol string

// The protocols that a [Resource] may have.
const (
	RTMP   Protocol = "rtmp"
	FLV    Protocol = "flv" // HTTP-FLV, play only
	HLS    Protocol = "hls" // play only
	WebRTC Protocol = "webrtc"
	SRT    Protocol = "srt" // push only
)

// Resource is what one URL addresses. Its names stand in the URL as they are:
// they must not need escaping.
type Resource struct {
	Domain string // may end in a port
	App    string // the path before the stream, such as "live"
	Stream string // the live code (直播码)

	// TemplateSuffix is the suffix of a transcoding template, without its
	// underscore, or empty. The cloud names the transcoded stream
	// Stream_TemplateSuffix, and that name is signed.
	TemplateSuffix string

	Protocol Protocol
	Push     bool   // the URL is to push to, not to play from
	Scheme   string // of FLV and HLS: "http" or "https"; empty: "https"
	Port     string // follows the domain; empty: the protocol's own, or the domain's

	// Extension of the file of FLV or HLS; empty: ".flv" or ".m3u8".
	Extension string
}

// appendStreamName appends the name of the stream in the cloud.
func (r *Resource) appendStreamName(dst []byte) []byte {
	dst = append(dst, r.Stream...)
	if r.TemplateSuffix == "" {
		return dst
	}
	return append(append(dst, '_'), r.TemplateSuffix...)
}

// schemeAndExtension are the schemeOrEmpty of a URL and the extension of its file, for
// providers that have RTMP, and HTTP-FLV and HLS to play. An empty schemeOrEmpty means
// that there is no such URL.
func (r *Resource) schemeAndExtension() (schemeOrEmpty, extension string) {
	switch {
	case r.Protocol == RTMP:
		return "rtmp", ""
	case r.Push:
		return "", ""
	case r.Protocol == FLV:
		extension = ".flv"
	case r.Protocol == HLS:
		extension = ".m3u8"
	default:
		return "", ""
	}
	return cmp.Or(r.Scheme, "https"), cmp.Or(r.Extension, extension)
}

// appendOrigin appends scheme, domain and port.
func (r *Resource) appendOrigin(dst []byte, scheme string) []byte {
	dst = append(append(dst, scheme...), "://"...)
	dst = append(dst, r.Domain...)
	if r.Port != "" {
		dst = append(append(dst, ':'), r.Port...)
	}
	return dst
}

// appendPath appends the path, with the extension of the file.
func (r *Resource) appendPath(dst []byte, extension string) []byte {
	if r.App != "" {
		dst = append(append(dst, '/'), r.App...)
	}
	return append(r.appendStreamName(append(dst, '/')), extension...)
}

// appendUnsignedURL appends the URL without its query. pathStart is where its path
// begins. It appends nothing, and ok is false, where there is no such URL.
func (r *Resource) appendUnsignedURL(dst []byte) (url []byte, pathStart int, ok bool) {
	scheme, extension := r.schemeAndExtension()
	if scheme == "" {
		return dst, 0, false
	}
	dst = r.appendOrigin(dst, scheme)
	return r.appendPath(dst, extension), len(dst), true
}

// path is the path of the URL. It has no extension where the protocol is unknown,
// as in the callbacks of media servers.
func (r *Resource) path() []byte {
	_, extension := r.schemeAndExtension()
	return r.appendPath(nil, extension)
}
