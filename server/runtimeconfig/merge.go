package runtimeconfig

import (
	"fmt"
	"slices"

	"onair/server/config"
)

// Merge returns the configuration that is in force after a reload: was, with the values
// of the reloadable keys of is. Secrets that were made up stay; it is an error
// when one that was given would have to be made up.
func Merge(was, is *config.Config) (*config.Config, error) {
	for _, key := range is.GeneratedSecrets {
		if !slices.Contains(was.GeneratedSecrets, key) {
			return nil, fmt.Errorf("%s: it was given, and is no more: a running server makes none up", key)
		}
	}
	next := *was
	next.GeneratedSecrets = is.GeneratedSecrets
	next.Auth, next.Viewer, next.Hooks = is.Auth, is.Viewer, is.Hooks
	next.TLS, next.Proxies, next.Origins, next.CORS = is.TLS, is.Proxies, is.Origins, is.CORS
	next.Push.Key, next.Push.BackupKey = is.Push.Key, is.Push.BackupKey
	next.Play.Key, next.Play.BackupKey = is.Play.Key, is.Play.BackupKey
	next.Play.Keys, next.Play.BackupKeys, next.Play.Domains = is.Play.Keys, is.Play.BackupKeys, is.Play.Domains
	next.Play.Provider, next.Play.Providers, next.Play.Template = is.Play.Provider, is.Play.Providers, is.Play.Template
	next.Play.Delta, next.Play.Deltas, next.Play.Algorithm = is.Play.Delta, is.Play.Deltas, is.Play.Algorithm
	next.VOD, next.Webhooks.Secrets = is.VOD, is.Webhooks.Secrets
	next.Log.Level, next.Limits = is.Log.Level, is.Limits
	next.Limits.Batch = was.Limits.Batch
	for _, key := range is.GeneratedSecrets {
		switch key {
		case "auth.secret":
			next.Auth.Secret = was.Auth.Secret
		case "push.key":
			next.Push.Key = was.Push.Key
		case "play.key":
			next.Play.Key = was.Play.Key
		}
	}
	return &next, nil
}
