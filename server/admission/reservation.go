package admission

// Reservation is the place of a connection that is about to enter.
type Reservation struct {
	admission *Admission
	isUsed    bool // guarded by Admission.mu
}

// use ends the reservation, once. The caller holds Admission.mu.
func (r *Reservation) use() {
	if !r.isUsed {
		r.isUsed = true
		r.admission.reserved--
	}
}

// Release gives the place back, unless Enter has used it.
func (r *Reservation) Release() {
	r.admission.mu.Lock()
	r.use()
	r.admission.signalEmpty()
	r.admission.mu.Unlock()
}

// Reasons why nobody, or nobody of some kind, may come in, as metrics name them.
const (
	draining   = "draining"
	full       = "full"
	tooFast    = "handshakes"
	Isolated   = "cut_off"
	Overloaded = "overloaded"

	addressLimit = "address" // sent as a close code, since it is seen late
	fileLimit    = "files"   // sent to nobody: the connection is closed at once
)

// rejections are the sentences that clients get.
var rejections = map[string]string{
	draining:   "this node is stopping",
	full:       "this node has as many sockets as it takes",
	tooFast:    "more sockets come at once than this node takes",
	Isolated:   "this node does not hear the others",
	Overloaded: "this node has as much to do as it can",
}
