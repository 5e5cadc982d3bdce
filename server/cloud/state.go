package cloud

// State is the state of the push under a live code.
type State uint8

// The states.
const (
	Offline   State = iota + 1 // there is no push
	Online                     // there is a push
	Forbidden                  // there is no push, and pushes are forbidden
)

var stateNames = [...]string{Offline: "offline", Online: "online", Forbidden: "forbidden"}

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}
