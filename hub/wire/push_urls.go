package wire

// PushURLs are the addresses to which the anchor's encoder pushes its media.
type PushURLs struct {
	RTMP      string // the whole URL
	Server    string // the first part of RTMP, as OBS has it
	Key       string // the second part of RTMP
	SRT       string // "" if the provider has none
	WebRTC    string // "" if the provider has none
	ExpiresAt int64  // Unix milliseconds; no push can begin after it
}

// AppendPushURLs appends p as a JSON object.
func AppendPushURLs(dst []byte, p *PushURLs) []byte {
	c := codec{isWriting: true, out: append(dst, '{')}
	p.visitMembers(&c)
	return closeObject(c.out)
}

func (p *PushURLs) visitMembers(c *codec) {
	c.visitText("rtmp", &p.RTMP)
	c.visitText("server", &p.Server)
	c.visitText("key", &p.Key)
	c.visitInt64("expires_at", &p.ExpiresAt)
	c.visitTextOmitEmpty("srt", &p.SRT)
	c.visitTextOmitEmpty("webrtc", &p.WebRTC)
}
