package signing

// form returns the scheme of a URL and the ending of its file, of providers that
// have RTMP, and to play HTTP-FLV and HLS; no scheme means that there is none such.
func (r *Resource) form() (scheme, ending string) {
	switch {
	case r.Protocol == RTMP:
		return "rtmp", ""
	case r.Push:
		return "", ""
	case r.Protocol == FLV:
		ending = ".flv"
	case r.Protocol == HLS:
		ending = ".m3u8"
	default:
		return "", ""
	}
	if r.Scheme == "" {
		return "https", ending
	}
	return r.Scheme, ending
}

// appendOrigin appends scheme, domain and port.
func (r *Resource) appendOrigin(dst []byte, scheme string) []byte {
	dst = append(append(dst, scheme...), "://"...)
	dst = append(dst, r.Domain...)
	if r.Port != "" {
		dst = append(append(dst, ':'), r.Port...)
	}
	return dst
}

// appendPath appends the path, with the ending of the file.
func (r *Resource) appendPath(dst []byte, ending string) []byte {
	if r.App != "" {
		dst = append(append(dst, '/'), r.App...)
	}
	return append(r.appendName(append(dst, '/')), ending...)
}

// appendAddress appends the URL without its query, and tells where its path begins;
// ok is false, and nothing is appended, where there is no such URL.
func (r *Resource) appendAddress(dst []byte) (_ []byte, path int, ok bool) {
	scheme, ending := r.form()
	if scheme == "" {
		return dst, 0, false
	}
	dst = r.appendOrigin(dst, scheme)
	return r.appendPath(dst, ending), len(dst), true
}

// place is the path of the URL; it has no ending where the protocol is not said,
// as in the callbacks of media servers.
func (r *Resource) place() (scheme string, path []byte, ok bool) {
	scheme, ending := r.form()
	return scheme, r.appendPath(nil, ending), scheme != ""
}
