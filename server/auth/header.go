package auth

import (
	"net/http"
	"strings"
)

// BearerToken reads the token of a request's Authorization header. present is
// false when there is no such header; ErrHeader is returned when there is one
// of another form, or several.
func BearerToken(r *http.Request) (token string, present bool, err error) {
	lines := r.Header.Values("Authorization")
	if len(lines) == 0 {
		return "", false, nil
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	if len(lines) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,") {
		return "", true, ErrHeader
	}
	return token, true, nil
}
