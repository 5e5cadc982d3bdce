package admission

// Reservation is one of the node's slots, for a connection whose handshake is not done
// yet. The caller of Reserve always defers Release. Admit uses the slot up, or frees it;
// after that Release does nothing.
type Reservation struct {
	admission  *Admission
	isReleased bool // guarded by Admission.mu
}

// Release frees the slot, unless Admit was called.
func (r *Reservation) Release() {
	r.admission.mu.Lock()
	defer r.admission.mu.Unlock()
	r.releaseLocked()
	r.admission.signalDrainedLocked()
}

// releaseLocked frees the slot once. The caller holds Admission.mu.
func (r *Reservation) releaseLocked() {
	if !r.isReleased {
		r.isReleased = true
		r.admission.reservedCount--
	}
}

// Rejection is the reason why a connection is not admitted, as metrics name it.
type Rejection string

const (
	rejectionDraining      Rejection = "draining"
	rejectionFull          Rejection = "full"
	rejectionHandshakeRate Rejection = "handshakes"

	RejectionIsolated   Rejection = "isolated"   // the node is isolated
	RejectionOverloaded Rejection = "overloaded" // the node's fan-out is overloaded

	rejectionAddressLimit Rejection = "address" // found after the handshake: the close code states it
	rejectionFileLimit    Rejection = "files"   // the connection is closed without a response
)

// rejections are all reasons.
var rejections = []Rejection{
	rejectionDraining, rejectionFull, rejectionHandshakeRate, RejectionIsolated, RejectionOverloaded, rejectionAddressLimit, rejectionFileLimit,
}

// rejectionMessages are the messages for clients.
var rejectionMessages = map[Rejection]string{
	rejectionDraining:      "this node is stopping",
	rejectionFull:          "this node has reached its limit of sockets",
	rejectionHandshakeRate: "this node has reached its limit of new sockets per second",
	RejectionIsolated:      "this node is isolated from the other nodes",
	RejectionOverloaded:    "this node is overloaded",
}
