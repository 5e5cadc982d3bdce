package main

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenTTL outlasts every run.
const tokenTTL = 24 * time.Hour

// signToken signs an anchor's token as the server's auth.secret wants it.
func signToken(secret []byte, sub string, now time.Time) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": sub, "role": "anchor", "iat": now.Unix(), "exp": now.Add(tokenTTL).Unix(),
	}).SignedString(secret)
}
