package wire

// PushRequest requests a fresh push URL for the same session. Answer: [Pushed].
type PushRequest struct {
	ID ID
}

// Head implements [Message].
func (m *PushRequest) Head() (string, ID) { return TypePush, m.ID }

func (m *PushRequest) visitMembers(c *codec) { c.visitID(&m.ID) }

// Pushed answers [PushRequest].
type Pushed struct {
	ID   ID
	Push PushURLs
}

// Head implements [Message].
func (m *Pushed) Head() (string, ID) { return TypePush, m.ID }

func (m *Pushed) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.requireMember("push")
	c.visitObject("push", m.Push.visitMembers)
}

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
	c.visitOptionalText("srt", &p.SRT)
	c.visitOptionalText("webrtc", &p.WebRTC)
}
