package outgoing

import (
	"errors"
	"net/url"
)

// WithoutURL returns the reason of an error of [net/http.Client] without the URL, whose user info,
// path or query may be secret. Other errors stay as they are.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
