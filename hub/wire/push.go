package wire

// PushRequest requests a fresh push URL for the same session. Answer: [Pushed].
type PushRequest struct {
	ID ID
}

// Head implements [Message].
func (m *PushRequest) Head() (string, ID) { return TypePush, m.ID }

func (m *PushRequest) visitMembers(c *codec) { c.id(&m.ID) }

// Pushed answers [PushRequest].
type Pushed struct {
	ID   ID
	Push PushURLs
}

// Head implements [Message].
func (m *Pushed) Head() (string, ID) { return TypePush, m.ID }

func (m *Pushed) visitMembers(c *codec) {
	c.id(&m.ID)
	c.require("push")
	c.nested("push", m.Push.visitMembers)
}

// PushURLs are the addresses to which the anchor's encoder pushes its media.
type PushURLs struct {
	RTMP      string // the whole URL
	Server    string // the first part of RTMP, as OBS has it
	Key       string // the second part of RTMP
	ExpiresAt int64  // Unix milliseconds; no push can begin after it
	SRT       string // "" if the provider has none
	WebRTC    string // "" if the provider has none
}

// AppendPushURLs appends p as a JSON object.
func AppendPushURLs(dst []byte, p *PushURLs) []byte {
	c := codec{isWriting: true, out: append(dst, '{')}
	p.visitMembers(&c)
	return closeObject(c.out)
}

func (p *PushURLs) visitMembers(c *codec) {
	c.text("rtmp", &p.RTMP)
	c.text("server", &p.Server)
	c.text("key", &p.Key)
	c.int64("expires_at", &p.ExpiresAt)
	c.optionalText("srt", &p.SRT)
	c.optionalText("webrtc", &p.WebRTC)
}
