package wire

// Message types that either socket carries.
const (
	TypeAuth          = "auth"
	TypeAuthenticated = "authenticated"
	TypeDrain         = "drain"
	TypeError         = "error"
	TypeTokenExpiring = "token_expiring"
	TypeWelcome       = "welcome"
)

// The messages of both sockets. The server sends Welcome at once, or after Auth. It answers a
// later Auth with Authenticated, and a request that fails with Error. It also sends
// TokenExpiring and Drain.
var (
	commonRequests = []Message{&Auth{}}

	commonServerMessages = []Message{&Welcome{}, &Authenticated{}, &TokenExpiring{}, &Drain{}, &Error{}}
)

// Auth brings a token: as the first message of a socket whose handshake had
// none, and later to replace the token. Answer: [Welcome] to the first, then
// [Authenticated].
type Auth struct {
	ID    ID
	Token string
}

func (m *Auth) header() (typ string, idOrNil *ID) { return TypeAuth, &m.ID }

func (m *Auth) visitMembers(c *codec) {
	c.requireMember("token")
	c.visitText("token", &m.Token)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Auth) Validate() error {
	if m.Token == "" {
		return badRequestIfFault(m.ID, "token must not be empty")
	}
	return badRequestIfFault(m.ID, checkOptionalName("token", m.Token, MaxTokenBytes))
}

// Welcome is the first message of every socket, once it is authenticated.
type Welcome struct {
	Node        string // the node's name
	Build       string // the node's version
	Connection  string // the connection's id in the node's log
	ServerTime  int64  // Unix milliseconds
	HeartbeatMS int64  // the interval of beats
	MissedLimit int    // the number of missed beats that ends a session
	IdleMS      int64  // a socket receives a message at least this often; a client reconnects after 2.5 times this
}

func (m *Welcome) header() (typ string, idOrNil *ID) { return TypeWelcome, nil }

func (m *Welcome) visitMembers(c *codec) {
	c.visitText("node", &m.Node)
	c.visitText("build", &m.Build)
	c.visitText("connection", &m.Connection)
	c.visitInt64("server_time", &m.ServerTime)
	c.visitInt64("heartbeat_ms", &m.HeartbeatMS)
	c.visitInt("missed_limit", &m.MissedLimit)
	c.visitInt64("idle_ms", &m.IdleMS)
}

// Authenticated answers an [Auth] on a socket that was welcomed before.
type Authenticated struct {
	ID        ID
	Sub       string // the user id
	Role      string
	ExpiresAt int64 // Unix milliseconds
}

func (m *Authenticated) header() (typ string, idOrNil *ID) { return TypeAuthenticated, &m.ID }

func (m *Authenticated) visitMembers(c *codec) {
	c.visitText("sub", &m.Sub)
	c.visitText("role", &m.Role)
	c.visitInt64("expires_at", &m.ExpiresAt)
}

// TokenExpiring requests a new [Auth], 60 s before the server closes the socket
// with [CloseUnauthorized].
type TokenExpiring struct {
	ExpiresAt int64 // Unix milliseconds
}

func (m *TokenExpiring) header() (typ string, idOrNil *ID) { return TypeTokenExpiring, nil }

func (m *TokenExpiring) visitMembers(c *codec) { c.visitInt64("expires_at", &m.ExpiresAt) }

// Drain announces that the node is leaving. The client reconnects elsewhere
// after ReconnectInMS. The server then closes the socket with [CloseDrained].
type Drain struct {
	ReconnectInMS int64
}

func (m *Drain) header() (typ string, idOrNil *ID) { return TypeDrain, nil }

func (m *Drain) visitMembers(c *codec) { c.visitInt64("reconnect_in_ms", &m.ReconnectInMS) }
