package signing

// halves cuts time into pieces of half a ttl, for each code at other moments:
// their starts are hashed from the code, so that the URLs of a list are not all
// renewed at once. A URL made in one half ends with the next.
//
//	halves    …──┤ n ├────────────┤ n+1 ├──────────┤ n+2 …
//	            made here          renewed here     ends here
//
// So a URL in a list is always valid for between half and all of the ttl, and
// it depends on nothing but the code and the time.
type halves struct{ seconds int64 }

// end returns when the half that holds at ends: the first moment after at at
// which a new half begins. Both are Unix milliseconds, end a whole second.
func (h halves) end(code string, at int64) int64 {
	length := h.seconds * 1000
	phase := int64(mix(hash(code))%uint64(h.seconds)) * 1000
	into := (at - phase) % length
	if into < 0 {
		into += length // Go's remainder takes the sign of the dividend
	}
	return at - into + length
}

// Expiry returns when the play URLs of code end that are in force at at. Both
// are Unix milliseconds, the expiry a whole second. It lies more than half of
// the ttl after at, and at most all of it. It is a function of code and at, the
// same on all nodes that have one ttl.
func (p *Player) Expiry(code string, at int64) int64 {
	return p.halves.end(code, at) + p.halves.seconds*1000
}

// NextSwitch returns the first Unix millisecond after at at which the Expiry of
// code changes.
func (p *Player) NextSwitch(code string, at int64) int64 {
	return p.halves.end(code, at)
}
