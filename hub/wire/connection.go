package wire

// Auth brings a token: the first message of a socket whose handshake had none,
// and at any time a newer one. Answer: [Authenticated], or [Welcome] to the
// first.
type Auth struct {
	ID    ID
	Token string
}

// Head implements [Message].
func (m *Auth) Head() (string, ID) { return TypeAuth, m.ID }

func (m *Auth) appendBody(dst []byte) []byte { return closeObject(addText(dst, "token", m.Token)) }

func decodeAuth(f *fields) Message {
	f.require("token")
	return &Auth{ID: f.id, Token: f.text("token")}
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Auth) Validate() error {
	if m.Token == "" {
		return refusal(m.ID, "token must not be empty")
	}
	return refusal(m.ID, checkName("token", m.Token, MaxTokenBytes))
}

// Welcome lets a socket in. It is the first message of every socket.
type Welcome struct {
	Node        string // the node's name
	Build       string // its version
	Connection  string // this connection, in the node's log
	ServerTime  int64  // Unix milliseconds
	HeartbeatMS int64  // beats are due this often
	MissedLimit int    // so many missed beats end a session
	IdleMS      int64  // a socket hears something this often; after 2.5 of it a client reconnects
}

// Head implements [Message].
func (m *Welcome) Head() (string, ID) { return TypeWelcome, "" }

func (m *Welcome) appendBody(dst []byte) []byte {
	dst = addText(dst, "node", m.Node)
	dst = addText(dst, "build", m.Build)
	dst = addText(dst, "connection", m.Connection)
	dst = addInt(dst, "server_time", m.ServerTime)
	dst = addInt(dst, "heartbeat_ms", m.HeartbeatMS)
	dst = addInt(dst, "missed_limit", int64(m.MissedLimit))
	return closeObject(addInt(dst, "idle_ms", m.IdleMS))
}

func decodeWelcome(f *fields) Message {
	return &Welcome{
		Node: f.text("node"), Build: f.text("build"), Connection: f.text("connection"),
		ServerTime: f.integer("server_time"), HeartbeatMS: f.integer("heartbeat_ms"),
		MissedLimit: int(f.integer("missed_limit")), IdleMS: f.integer("idle_ms"),
	}
}

// Authenticated answers an [Auth] on a socket that was welcomed before.
type Authenticated struct {
	ID        ID
	Sub       string // the user id
	Role      string
	ExpiresAt int64 // Unix milliseconds
}

// Head implements [Message].
func (m *Authenticated) Head() (string, ID) { return TypeAuthenticated, m.ID }

func (m *Authenticated) appendBody(dst []byte) []byte {
	dst = addText(dst, "sub", m.Sub)
	dst = addText(dst, "role", m.Role)
	return closeObject(addInt(dst, "expires_at", m.ExpiresAt))
}

// TokenExpiring asks for a new [Auth], 60 s before the socket is closed with
// [CloseUnauthorized].
type TokenExpiring struct {
	ExpiresAt int64 // Unix milliseconds
}

// Head implements [Message].
func (m *TokenExpiring) Head() (string, ID) { return TypeTokenExpiring, "" }

func (m *TokenExpiring) appendBody(dst []byte) []byte {
	return closeObject(addInt(dst, "expires_at", m.ExpiresAt))
}

// Drain says that this node is leaving: reconnect elsewhere after the given
// time. The socket is then closed with [CloseDrained].
type Drain struct {
	ReconnectInMS int64
}

// Head implements [Message].
func (m *Drain) Head() (string, ID) { return TypeDrain, "" }

func (m *Drain) appendBody(dst []byte) []byte {
	return closeObject(addInt(dst, "reconnect_in_ms", m.ReconnectInMS))
}

// Ping keeps the line of a viewer socket without a view alive. It wants no
// answer.
type Ping struct{}

// Head implements [Message].
func (m *Ping) Head() (string, ID) { return TypePing, "" }

func (m *Ping) appendBody(dst []byte) []byte { return closeObject(dst) }
