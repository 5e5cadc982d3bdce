package admission

// Reservation is the place of a connection that is about to enter.
type Reservation struct {
	admission  *Admission
	isReleased bool // guarded by Admission.mu
}

// releaseLocked ends the reservation, once. The caller holds Admission.mu.
func (r *Reservation) releaseLocked() {
	if !r.isReleased {
		r.isReleased = true
		r.admission.reservedCount--
	}
}

// Release gives the place back, unless Enter has used it.
func (r *Reservation) Release() {
	r.admission.mu.Lock()
	r.releaseLocked()
	r.admission.signalDrained()
	r.admission.mu.Unlock()
}

// Reasons why nobody, or nobody of some kind, may come in, as metrics name them.
const (
	rejectionDraining      = "draining"
	rejectionFull          = "full"
	rejectionHandshakeRate = "handshakes"
	RejectionIsolated      = "cut_off"
	RejectionOverloaded    = "overloaded"

	rejectionAddressLimit = "address" // sent as a close code, since it is seen late
	rejectionFileLimit    = "files"   // sent to nobody: the connection is closed at once
)

// rejectionMessages are the sentences that clients get.
var rejectionMessages = map[string]string{
	rejectionDraining:      "this node is stopping",
	rejectionFull:          "this node has as many sockets as it takes",
	rejectionHandshakeRate: "more sockets come at once than this node takes",
	RejectionIsolated:      "this node does not hear the others",
	RejectionOverloaded:    "this node has as much to do as it can",
}
