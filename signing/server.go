package signing

import (
	"fmt"
	"slices"
)

// Server is what serves streams to players. It determines the paths of their files.
type Server string

// The servers that a [PlaySigner] knows, with the paths of HTTP-FLV and HLS for the
// application live. RTMP has the same path everywhere: /live/CODE.
const (
	CDN          Server = "cdn"            // /live/CODE.flv, /live/CODE.m3u8; the empty Server means it, too
	SRS          Server = "srs"            // the same
	NginxRTMP    Server = "nginx-rtmp"     // no HTTP-FLV; /hls/CODE.m3u8
	NginxHTTPFLV Server = "nginx-http-flv" // /live/CODE.flv, /hls/CODE.m3u8
	MediaMTX     Server = "mediamtx"       // no HTTP-FLV; /live/CODE/index.m3u8
	ZLM          Server = "zlm"            // /live/CODE.live.flv, /live/CODE/hls.m3u8
	LAL          Server = "lal"            // /live/CODE.flv, /hls/CODE.m3u8
)

// Servers returns the names of all servers.
func Servers() []string {
	return []string{string(CDN), string(SRS), string(NginxRTMP), string(NginxHTTPFLV), string(MediaMTX), string(ZLM), string(LAL)}
}

// filePath is where a server has the files of a protocol. The zero value is the path of a CDN.
type filePath struct {
	app       string // instead of the application
	extension string // instead of .flv or .m3u8
}

// Plays reports whether a server has play URLs of a protocol.
func (s Server) Plays(p Protocol) bool {
	_, err := filePathOf(s, p)
	return err == nil
}

// filePathOf returns where a server has the files of a protocol. An error is returned when
// the server is unknown, or does not serve the protocol.
func filePathOf(s Server, p Protocol) (path filePath, err error) {
	switch {
	case s != "" && !slices.Contains(Servers(), string(s)):
		return path, fmt.Errorf("signing: unknown server %q", s)
	case p == FLV && (s == NginxRTMP || s == MediaMTX), p == WebRTC && s != "" && s != CDN && s != SRS:
		return path, fmt.Errorf("signing: %s has no play URLs of protocol %q", s, p)
	case p == FLV && s == ZLM:
		path.extension = ".live.flv"
	case p == HLS && s == ZLM:
		path.extension = "/hls.m3u8"
	case p == HLS && s == MediaMTX:
		path.extension = "/index.m3u8"
	case p == HLS && (s == NginxRTMP || s == NginxHTTPFLV || s == LAL):
		path.app = "hls"
	}
	return path, nil
}
