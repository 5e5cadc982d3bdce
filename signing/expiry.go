package signing

// urlPeriods divides time into periods of half a ttl. They begin at other times for
// each code, hashed from it, so that the URLs of a list are not all renewed at once.
// A URL that is made in one period expires at the end of the next.
//
//	periods   …──┤ n ├────────────┤ n+1 ├──────────┤ n+2 …
//	            made here          renewed here     expires here
//
// So a URL in a list is always valid for between half of the ttl and all of it, and
// it depends on nothing but the code and the time.
type urlPeriods struct{ seconds int64 }

// periodEnd returns the end of a code's period: the first time after now at which its
// next period begins. Both are Unix milliseconds, the end a whole second.
func (p urlPeriods) periodEnd(code string, nowMillis int64) (endMillis int64) {
	length := p.seconds * 1000
	phase := int64(mixBits(fnv1a(code))%uint64(p.seconds)) * 1000
	elapsed := (nowMillis - phase) % length
	if elapsed < 0 {
		elapsed += length // Go's remainder takes the sign of the dividend
	}
	return nowMillis - elapsed + length
}

// Expiry returns when the current play URLs of code expire. Both times are Unix
// milliseconds, the expiry a whole second. It is more than half of the ttl after
// nowMillis, and at most all of it. It is a function of code and time, the same on
// all nodes that have one ttl.
func (s *PlaySigner) Expiry(code string, nowMillis int64) (expiresMillis int64) {
	return s.periods.periodEnd(code, nowMillis) + s.periods.seconds*1000
}

// NextRenewal returns the first Unix millisecond after nowMillis at which the Expiry
// of code changes.
func (s *PlaySigner) NextRenewal(code string, nowMillis int64) (renewalMillis int64) {
	return s.periods.periodEnd(code, nowMillis)
}
