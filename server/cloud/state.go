package cloud

// State is what a provider says of a live code.
type State uint8

// The states there are.
const (
	Offline   State = iota + 1 // nobody pushes
	Online                     // somebody pushes
	Forbidden                  // nobody pushes, and nobody may
)

var stateNames = [...]string{Offline: "offline", Online: "online", Forbidden: "forbidden"}

// String gives the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}
