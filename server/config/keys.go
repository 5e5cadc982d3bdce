package config

import (
	"net/netip"
	"strings"
	"time"
)

// key is one key of the configuration: its name in the file, its default as
// text, what it means, which forms it may have, and how a text becomes a value.
type key struct {
	name string
	def  string
	help string
	form form
	set  setter
}

// form is how a key may be given, beside a plain value.
type form uint8

const (
	list   form = 1 << iota // a list in the file; elsewhere a,b
	pairs                   // a mapping in the file; elsewhere a=x,b=y
	inFile                  // name_file: the path of a file that holds it
	hidden                  // a secret
	plain  form = 0
)

// keys are all there are. Flags, environment, file, help and the sample file
// are made from this one table.
var keys = []key{
	{"listen", "127.0.0.1:8080", "address of HTTP and sockets; only loopback while development secrets are in use", plain, text(func(c *Config) *string { return &c.Listen })},
	{"tls.cert", "", "PEM file of the certificate chain, for TLS in the process; read again when it changes", plain, text(func(c *Config) *string { return &c.TLS.Cert })},
	{"tls.key", "", "PEM file of the certificate's private key", plain, text(func(c *Config) *string { return &c.TLS.Key })},
	{"proxies", "", "networks whose X-Forwarded-For counts: the rightmost address in none of them is the client", list, networks(func(c *Config) *[]netip.Prefix { return &c.Proxies })},
	{"origins", "", "foreign Origin patterns whose sockets are let in; the same origin and native apps always are", list, patterns(func(c *Config) *[]string { return &c.Origins })},
	{"cors", "", "foreign Origin patterns whose pages may use HTTP; the same origin always may", list, patterns(func(c *Config) *[]string { return &c.CORS })},
	{"ops.listen", "127.0.0.1:9090", "address of /metrics, /healthz, /readyz and /debug/pprof", plain, text(func(c *Config) *string { return &c.Ops.Listen })},
	{"data", "./data", "directory of the embedded store; memory keeps nothing", plain, text(func(c *Config) *string { return &c.Data })},
	{"node", "", "this node's name; empty: host name and random", plain, text(func(c *Config) *string { return &c.Node })},
	{"log.level", "info", "debug, info, warn or error", plain, setLevel},
	{"log.format", "", "console or json; empty: console on a terminal, else json", plain, oneOf(func(c *Config) *string { return &c.Log.Format }, "", "console", "json")},
	{"auth.secret", "", "HS256 key that signs tokens, at least 32 bytes; empty: made up for development", inFile | hidden, secret(func(c *Config) *Secret { return &c.Auth.Secret })},
	{"auth.secrets", "", "several HS256 keys by kid, for rotation: kid=secret,kid=secret", inFile | pairs | hidden, secrets(func(c *Config) *map[string]Secret { return &c.Auth.Secrets })},
	{"auth.jwks_url", "", "URL of a JWK set with keys that sign tokens", plain, text(func(c *Config) *string { return &c.Auth.JWKSURL })},
	{"auth.public_key", "", "PEM of an RSA, ECDSA or Ed25519 public key", inFile, text(func(c *Config) *string { return &c.Auth.PublicKey })},
	{"auth.issuer", "", "what tokens must name as iss; empty: not checked", plain, text(func(c *Config) *string { return &c.Auth.Issuer })},
	{"auth.audience", "", "what tokens must name as aud; empty: not checked", plain, text(func(c *Config) *string { return &c.Auth.Audience })},
	{"viewer.anonymous", "", "viewers need no token; empty: true with a development secret, else false", plain, setAnonymous},
	{"bizid", "8888", "what every live code starts with, before an underscore", plain, text(func(c *Config) *string { return &c.BizID })},
	{"code", "{bizid}_{anchor}", "template of the live code: {bizid}, {anchor}, {anchor_hash}, {session}", plain, text(func(c *Config) *string { return &c.Code })},
	{"code_key", "", "key of {anchor_hash}; another one gives other codes; empty: made up for development", inFile | hidden, secret(func(c *Config) *Secret { return &c.CodeKey })},
	{"lists", "live", "allowed names of lists; the first is the default", list, texts(func(c *Config) *[]string { return &c.Lists })},
	{"list.show", "start", "when a stream is listed: start, or publish: once it was heard", plain, oneOf(func(c *Config) *string { return &c.List.Show }, "start", "publish")},
	{"takeover", "newest", "second start of an anchor: newest wins, or refuse while the first is attached", plain, oneOf(func(c *Config) *string { return &c.Takeover }, "newest", "refuse")},
	{"heartbeat.interval", "60s", "time between two beats; shorter notices the dead sooner and costs more", plain, duration(func(c *Config) *time.Duration { return &c.Heartbeat.Interval })},
	{"heartbeat.missed", "3", "missed beats that end a session", plain, number(func(c *Config) *int { return &c.Heartbeat.Missed })},
	{"heartbeat.grace", "", "time for the network after a beat is due; empty: a tenth of the interval, at most 5s", plain, optional(duration(func(c *Config) *time.Duration { return &c.Heartbeat.Grace }))},
	{"settings.revision", "1", "raise it when heartbeat, takeover, list.show, liveness, polls (interval, offline_after), what webhooks tell or moderation.provider change, which all nodes share", plain, number(func(c *Config) *int64 { return &c.Settings.Revision })},
	{"push.provider", "tencent", "who takes the push: " + strings.Join(Signers, ", "), plain, oneOf(func(c *Config) *string { return &c.Push.Provider }, Signers...)},
	{"push.template", "", "formula of the provider template: sign={md5 key path time}&t={time hex}", plain, text(func(c *Config) *string { return &c.Push.Template })},
	{"push.domain", "{bizid}.livepush.myqcloud.com", "domain of push URLs", plain, text(func(c *Config) *string { return &c.Push.Domain })},
	{"push.app", "live", "path of push URLs", plain, text(func(c *Config) *string { return &c.Push.App })},
	{"push.key", "", "key that signs push URLs; empty: made up for development", inFile | hidden, secret(func(c *Config) *Secret { return &c.Push.Key })},
	{"push.backup_key", "", "second key that is accepted", inFile | hidden, secret(func(c *Config) *Secret { return &c.Push.BackupKey })},
	{"push.ttl", "24h", "how long a push may begin; too short: reconnects fail, too long: a leaked URL lives on", plain, duration(func(c *Config) *time.Duration { return &c.Push.TTL })},
	{"push.delta", "0s", "validity that the push domain adds to the time in a URL", plain, duration(func(c *Config) *time.Duration { return &c.Push.Delta })},
	{"push.algorithm", "md5", "md5, or of the provider tencent sha256", plain, oneOf(func(c *Config) *string { return &c.Push.Algorithm }, "md5", "sha256")},
	{"play.provider", "tencent", "who serves the play URLs: as push.provider", plain, oneOf(func(c *Config) *string { return &c.Play.Provider }, Signers...)},
	{"play.template", "", "formula of the provider template, as push.template", plain, text(func(c *Config) *string { return &c.Play.Template })},
	{"play.providers", "", "providers of play domains where they are not play.provider: b.example.com=aliyun_a", pairs, setProviders},
	{"play.keys", "", "keys of play domains where they are not play.key: b.example.com=KEY", inFile | pairs | hidden, secrets(func(c *Config) *map[string]Secret { return &c.Play.Keys })},
	{"play.backup_keys", "", "second keys of play domains that are accepted", inFile | pairs | hidden, secrets(func(c *Config) *map[string]Secret { return &c.Play.BackupKeys })},
	{"play.domain", "{bizid}.liveplay.myqcloud.com", "domains of play URLs, with weights where there are several: a.example.com=3,b.example.com=1", list | pairs, setDomains},
	{"play.app", "live", "path of play URLs", plain, text(func(c *Config) *string { return &c.Play.App })},
	{"play.scheme", "https", "scheme of FLV and HLS play URLs: https or http", plain, oneOf(func(c *Config) *string { return &c.Play.Scheme }, "https", "http")},
	{"play.ports", "", "ports of play URLs where they are not the protocol's own: rtmp=1935,flv=8080,hls=8080", pairs, setPorts},
	{"play.key", "", "key that signs play URLs; empty: made up for development", inFile | hidden, secret(func(c *Config) *Secret { return &c.Play.Key })},
	{"play.backup_key", "", "second key that is accepted", inFile | hidden, secret(func(c *Config) *Secret { return &c.Play.BackupKey })},
	{"play.ttl", "2h", "how long a play URL holds at the most; at the least half of it", plain, duration(func(c *Config) *time.Duration { return &c.Play.TTL })},
	{"play.delta", "0s", "validity that the play domain adds to the time in a URL", plain, duration(func(c *Config) *time.Duration { return &c.Play.Delta })},
	{"play.deltas", "", "validity that play domains add where it is not play.delta: b.example.com=30m", pairs, setDeltas},
	{"play.protocols", "rtmp,flv,hls", "protocols of play URLs: rtmp, flv, hls, webrtc", list, texts(func(c *Config) *[]string { return &c.Play.Protocols }, "rtmp", "flv", "hls", "webrtc")},
	{"play.templates", "", "transcoding suffixes by name: hd=550,sd=900", pairs, setTemplates},
	{"play.algorithm", "md5", "md5, or of the provider tencent sha256", plain, oneOf(func(c *Config) *string { return &c.Play.Algorithm }, "md5", "sha256")},
	{"vod.provider", "none", "who plays recordings: none, plain, tencent (VOD) or secure_link (nginx)", plain, oneOf(func(c *Config) *string { return &c.VOD.Provider }, "none", "plain", "tencent", "secure_link")},
	{"vod.key", "", "key that signs playback URLs", inFile | hidden, secret(func(c *Config) *Secret { return &c.VOD.Key })},
	{"vod.ttl", "2h", "how long a playback URL holds", plain, duration(func(c *Config) *time.Duration { return &c.VOD.TTL })},
	{"vod.domain", "", "where recordings are played from, such as https://vod.example.com; empty: where the provider says that they lie", plain, link(func(c *Config) *string { return &c.VOD.Domain })},
	{"vod.root", "", "what the paths of a media server's files begin with, and playback URLs do not", plain, text(func(c *Config) *string { return &c.VOD.Root })},
	{"hooks.tencent.enabled", "false", "event callbacks of Tencent Cloud Live at /v1/hooks/tencent", plain, boolean(func(c *Config) *bool { return &c.Hooks.Tencent.Enabled })},
	{"hooks.tencent.key", "", "key that signs them, as in the console's callback template", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.TencentKey })},
	{"hooks.tencent.secret", "", "path segment that they must have: /v1/hooks/tencent/SECRET; their signature does not cover what they say", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.Tencent.Secret })},
	{"hooks.tencent.allow", "", "networks that they may come from; empty: any", list, networks(func(c *Config) *[]netip.Prefix { return &c.Hooks.Tencent.Allow })},
	{"hooks.srs.enabled", "false", "callbacks of SRS at /v1/hooks/srs: on_publish, on_unpublish, on_play, on_stop, on_dvr", plain, boolean(func(c *Config) *bool { return &c.Hooks.SRS.Enabled })},
	{"hooks.srs.secret", "", "path segment that its callbacks must have: /v1/hooks/srs/SECRET", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.SRS.Secret })},
	{"hooks.srs.allow", "127.0.0.0/8,::1", "networks that its callbacks may come from", list, networks(func(c *Config) *[]netip.Prefix { return &c.Hooks.SRS.Allow })},
	{"hooks.nginx_rtmp.enabled", "false", "callbacks of nginx-rtmp at /v1/hooks/nginx-rtmp: publish, publish_done, play, play_done, update, record_done", plain, boolean(func(c *Config) *bool { return &c.Hooks.NginxRTMP.Enabled })},
	{"hooks.nginx_rtmp.secret", "", "path segment that its callbacks must have: /v1/hooks/nginx-rtmp/SECRET", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.NginxRTMP.Secret })},
	{"hooks.nginx_rtmp.allow", "127.0.0.0/8,::1", "networks that its callbacks may come from", list, networks(func(c *Config) *[]netip.Prefix { return &c.Hooks.NginxRTMP.Allow })},
	{"hooks.mediamtx.enabled", "false", "MediaMTX's HTTP authentication and run-on commands at /v1/hooks/mediamtx", plain, boolean(func(c *Config) *bool { return &c.Hooks.MediaMTX.Enabled })},
	{"hooks.mediamtx.secret", "", "path segment that they must have: /v1/hooks/mediamtx/SECRET", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.MediaMTX.Secret })},
	{"hooks.mediamtx.allow", "127.0.0.0/8,::1", "networks that they may come from", list, networks(func(c *Config) *[]netip.Prefix { return &c.Hooks.MediaMTX.Allow })},
	{"hooks.zlm.enabled", "false", "hooks of ZLMediaKit at /v1/hooks/zlm/EVENT: on_publish, on_play, on_stream_changed, on_record_mp4, on_stream_none_reader", plain, boolean(func(c *Config) *bool { return &c.Hooks.ZLM.Enabled })},
	{"hooks.zlm.secret", "", "path segment that they must have: /v1/hooks/zlm/SECRET/EVENT", inFile | hidden, secret(func(c *Config) *Secret { return &c.Hooks.ZLM.Secret })},
	{"hooks.zlm.allow", "127.0.0.0/8,::1", "networks that they may come from", list, networks(func(c *Config) *[]netip.Prefix { return &c.Hooks.ZLM.Allow })},
	{"liveness.end_grace", "30s", "time from the media server's end of a push to the end of the session, unless it is pushed again; longer forgives slower encoders", plain, duration(func(c *Config) *time.Duration { return &c.Liveness.EndGrace })},
	{"liveness.start_within", "10m", "time in which a session without heartbeats must be pushed", plain, duration(func(c *Config) *time.Duration { return &c.Liveness.StartWithin })},
	{"liveness.callback_only", "24h", "silence that ends a session which lives by callbacks alone", plain, duration(func(c *Config) *time.Duration { return &c.Liveness.CallbackOnly })},
	{"liveness.media", "advisory", "polls that say offline: advisory, or required: they end a session also while beats come, and before it was pushed", plain, oneOf(func(c *Config) *string { return &c.Liveness.Media }, "advisory", "required")},
	{"liveness.poll_blind", "15m", "for how long polls of a session that lives by them alone may fail, while others succeed", plain, duration(func(c *Config) *time.Duration { return &c.Liveness.PollBlind })},
	{"cloud.secret_id", "", "SecretId of Tencent Cloud's API", plain, text(func(c *Config) *string { return &c.Cloud.SecretID })},
	{"cloud.secret_key", "", "its SecretKey", inFile | hidden, secret(func(c *Config) *Secret { return &c.Cloud.SecretKey })},
	{"cloud.app_id", "", "appid of Tencent's legacy live code API", plain, text(func(c *Config) *string { return &c.Cloud.AppID })},
	{"cloud.api_key", "", "its API authentication key", inFile | hidden, secret(func(c *Config) *Secret { return &c.Cloud.APIKey })},
	{"cloud.url", "", "where the provider is asked: an endpoint other than the usual one, SRS's HTTP API, or nginx-rtmp's statistics page", plain, link(func(c *Config) *string { return &c.Cloud.URL })},
	{"cloud.vod_url", "", "endpoint of Tencent VOD's API, where it is not the usual one", plain, link(func(c *Config) *string { return &c.Cloud.VODURL })},
	{"cloud.vod_app_id", "", "Tencent VOD's application (SubAppId) that recordings are in; empty: the account's own, which accounts since the end of 2023 do not have", plain, setVODApp},
	{"cloud.control_url", "", "nginx-rtmp's control, such as http://127.0.0.1:8080/control", plain, link(func(c *Config) *string { return &c.Cloud.ControlURL })},
	{"poll.provider", "", "who is asked once an interval which streams are pushed: " + clouds + "; empty: nobody", plain, oneOf(func(c *Config) *string { return &c.Poll.Provider }, "", Tencent, TencentLegacy, SRS, NginxRTMP)},
	{"poll.interval", "60s", "time between two polls of a stream", plain, duration(func(c *Config) *time.Duration { return &c.Poll.Interval })},
	{"poll.offline_after", "3", "polls in a row that must say offline before they count", plain, number(func(c *Config) *int64 { return &c.Poll.OfflineAfter })},
	{"poll.rate", "20/s", "the most that is asked; more finds out sooner, and comes nearer to the provider's limit", plain, rate(func(c *Config) *float64 { return &c.Poll.Rate })},
	{"moderation.provider", "", "who is told to cut the push of who is kicked or banned: " + clouds + "; empty: nobody", plain, oneOf(func(c *Config) *string { return &c.Moderation.Provider }, "", Tencent, TencentLegacy, SRS, NginxRTMP)},
	{"recordings.keep", "0s", "how long recordings are kept; 0s: for ever", plain, duration(func(c *Config) *time.Duration { return &c.Recordings.Keep })},
	{"recordings.min", "0s", "shorter recordings are left out", plain, duration(func(c *Config) *time.Duration { return &c.Recordings.Min })},
	{"recordings.provider", "", "whose list of recordings is compared with what callbacks told: tencent or tencent_legacy; empty: nobody's", plain, oneOf(func(c *Config) *string { return &c.Recordings.Provider }, "", Tencent, TencentLegacy)},
	{"recordings.every", "10m", "time between two comparisons", plain, duration(func(c *Config) *time.Duration { return &c.Recordings.Every })},
	{"webhooks.url", "", "where what happens is told of; empty: nowhere", plain, link(func(c *Config) *string { return &c.Webhooks.URL })},
	{"webhooks.secret", "", "keys that sign it, whsec_ and base64 each; several while one replaces the other", list | inFile | hidden, setWebhookSecrets},
	{"webhooks.events", "stream.started,stream.away,stream.resumed,stream.ended,recording.ready", "what is told", list, texts(func(c *Config) *[]string { return &c.Webhooks.Events }, WebhookEvents...)},
	{"webhooks.retry", "24h", "for how long a failed delivery is tried again", plain, duration(func(c *Config) *time.Duration { return &c.Webhooks.Retry })},
	{"redis.addrs", "", "Redis that nodes share, host:port; several are a Cluster, or with redis.master_name its Sentinels; empty: the embedded store", list, texts(func(c *Config) *[]string { return &c.Redis.Addrs })},
	{"redis.master_name", "", "name of the primary that the Sentinels at redis.addrs watch", plain, text(func(c *Config) *string { return &c.Redis.MasterName })},
	{"redis.username", "", "ACL user; empty: the default user", plain, text(func(c *Config) *string { return &c.Redis.Username })},
	{"redis.password", "", "its password", inFile | hidden, secret(func(c *Config) *Secret { return &c.Redis.Password })},
	{"redis.sentinel_username", "", "ACL user of the Sentinels themselves", plain, text(func(c *Config) *string { return &c.Redis.SentinelUsername })},
	{"redis.sentinel_password", "", "its password", inFile | hidden, secret(func(c *Config) *Secret { return &c.Redis.SentinelPassword })},
	{"redis.db", "0", "number of the database; a Cluster has 0 alone", plain, database(func(c *Config) *int { return &c.Redis.DB })},
	{"redis.tls", "false", "whether to speak TLS to Redis and Sentinels", plain, boolean(func(c *Config) *bool { return &c.Redis.TLS })},
	{"redis.ca", "", "PEM file of the authority that signed their certificates; empty: those that the system trusts", plain, text(func(c *Config) *string { return &c.Redis.CA })},
	{"redis.prefix", "onair", "begins the names of all keys; deployments that share a Redis have different ones", plain, text(func(c *Config) *string { return &c.Redis.Prefix })},
	{"flight.dir", "", "directory for execution traces of the last seconds, written when the list is told late; empty: the flight recorder is off", plain, text(func(c *Config) *string { return &c.Flight.Dir })},
	{"flight.latency", "1s", "list latency at which one is written", plain, duration(func(c *Config) *time.Duration { return &c.Flight.Latency })},
	{"hub.tick", "250ms", "least time between two diffs of a view", plain, duration(func(c *Config) *time.Duration { return &c.Hub.Tick })},
	{"hub.counters", "2s", "least time between two diffs for viewers and likes alone", plain, duration(func(c *Config) *time.Duration { return &c.Hub.Counters })},
	{"idle", "25s", "silence on a view before an empty diff keeps its line alive", plain, duration(func(c *Config) *time.Duration { return &c.Idle })},
	{"limits.message", "16KiB", "largest message on an anchor socket", plain, size(func(c *Config) *int { return &c.Limits.Message })},
	{"limits.viewer_message", "64KiB", "largest message on a viewer socket", plain, size(func(c *Config) *int { return &c.Limits.ViewerMessage })},
	{"limits.rate", "20", "messages a second on one socket; calls a second of one anchor over HTTP", plain, float(func(c *Config) *float64 { return &c.Limits.Rate })},
	{"limits.burst", "40", "messages at once on one socket; calls at once of one anchor over HTTP", plain, number(func(c *Config) *int { return &c.Limits.Burst })},
	{"limits.sockets", "18000", "sockets in all; fewer where the process may open fewer files", plain, number(func(c *Config) *int { return &c.Limits.Sockets })},
	{"limits.sockets_per_address", "1000", "sockets from one address", plain, number(func(c *Config) *int { return &c.Limits.SocketsPerAddress })},
	{"limits.views_per_socket", "8", "views that one socket may have", plain, number(func(c *Config) *int { return &c.Limits.ViewsPerSocket })},
	{"limits.views", "20000", "different views in all", plain, number(func(c *Config) *int { return &c.Limits.Views })},
	{"limits.watches_per_socket", "8", "streams that one socket may watch", plain, number(func(c *Config) *int { return &c.Limits.WatchesPerSocket })},
	{"limits.window", "500", "largest limit of a query, at most 10000", plain, number(func(c *Config) *int { return &c.Limits.Window })},
	{"limits.snapshots_per_socket", "1/s", "snapshots that one socket gets", plain, rate(func(c *Config) *float64 { return &c.Limits.SnapshotsPerSocket })},
	{"limits.streams", "1000000", "live streams in all", plain, number(func(c *Config) *int { return &c.Limits.Streams })},
	{"limits.handshakes", "5000/s", "sockets that are let in; more are sent away for a while, so that those that are in go on being served", plain, rate(func(c *Config) *float64 { return &c.Limits.Handshakes })},
	{"limits.batch", "256KiB", "what one node appends to the log at once", plain, size(func(c *Config) *int { return &c.Limits.Batch })},
	{"drain", "20s", "how long a stopping node takes to hand over its sockets", plain, duration(func(c *Config) *time.Duration { return &c.Drain })},
}
