package auth

import (
	"net/http"
	"strings"
)

// TokenFromHeader returns the token of the Authorization header; hasToken is false without one.
// Credentials of other schemes, such as those that a browser sends to a proxy with basic
// authentication, are no token. ErrHeader is returned for another form or several tokens.
func TokenFromHeader(r *http.Request) (token string, hasToken bool, err error) {
	for _, value := range r.Header.Values("Authorization") {
		scheme, credentials, ok := strings.Cut(value, " ")
		isBearer := strings.EqualFold(scheme, "Bearer")
		switch {
		case !ok || credentials == "" || isBearer && (hasToken || strings.ContainsAny(credentials, " ,")):
			return "", true, ErrHeader
		case isBearer:
			token, hasToken = credentials, true
		}
	}
	return token, hasToken, nil
}
