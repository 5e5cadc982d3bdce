package runtimeconfig

import (
	"fmt"
	"slices"

	"onair/server/config"
)

// Merge returns the current configuration with the reloadable values of the loaded one.
// Generated secrets stay the same. An error is returned when a secret was configured and no
// longer is, because a running server generates none.
func Merge(current, loaded *config.Config) (*config.Config, error) {
	for _, key := range loaded.GeneratedSecrets {
		if !slices.Contains(current.GeneratedSecrets, key) {
			return nil, fmt.Errorf("%s: no longer configured: must be set while the server runs", key)
		}
	}
	next := *current
	next.GeneratedSecrets = loaded.GeneratedSecrets
	next.Auth, next.Viewer, next.Hooks = loaded.Auth, loaded.Viewer, loaded.Hooks
	next.TLS, next.Proxies, next.Origins, next.CORS = loaded.TLS, loaded.Proxies, loaded.Origins, loaded.CORS
	next.Push.Key, next.Push.BackupKey = loaded.Push.Key, loaded.Push.BackupKey
	next.Play.Key, next.Play.BackupKey = loaded.Play.Key, loaded.Play.BackupKey
	next.Play.Keys, next.Play.BackupKeys, next.Play.Domains = loaded.Play.Keys, loaded.Play.BackupKeys, loaded.Play.Domains
	next.Play.Provider, next.Play.Providers, next.Play.Template = loaded.Play.Provider, loaded.Play.Providers, loaded.Play.Template
	next.Play.Delta, next.Play.Deltas, next.Play.Algorithm = loaded.Play.Delta, loaded.Play.Deltas, loaded.Play.Algorithm
	next.VOD, next.Webhooks.Secrets = loaded.VOD, loaded.Webhooks.Secrets
	next.Log.Level, next.Limits = loaded.Log.Level, loaded.Limits
	next.Limits.Batch = current.Limits.Batch
	for _, key := range loaded.GeneratedSecrets {
		switch key {
		case "auth.secret":
			next.Auth.Secret = current.Auth.Secret
		case "push.key":
			next.Push.Key = current.Push.Key
		case "play.key":
			next.Play.Key = current.Play.Key
		}
	}
	return &next, nil
}
