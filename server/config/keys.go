package config

import (
	"net/netip"
	"strings"
	"time"

	"onair/signing"
)

// key is one key of the configuration.
type key struct {
	name        string // in the file
	defaultText string
	help        string
	form        keyForm
	parse       parser
}

// keyForm is a set of properties of a key's value.
type keyForm uint8

const (
	list       keyForm = 1 << iota // a list in the file; a,b elsewhere
	pairs                          // a mapping in the file; a=x,b=y elsewhere
	fileForm                       // NAME_file is the path of a file that holds the value
	secret                         // the value is never shown
	credential                     // the value may contain a password: errors do not show it
	reloadable                     // a reload applies a new value; all other keys need a restart
	scalar     keyForm = 0
)

var playProtocols = []string{"rtmp", "flv", "hls", "webrtc"}

// keys are all keys. Flags, environment variables, file keys, help texts and the sample
// file come from this table.
var keys = []key{
	{"listen", "127.0.0.1:8080", "Address (host:port) for HTTP and WebSocket. While development secrets are in use, only a loopback address is accepted.", scalar, stringField(func(c *Config) *string { return &c.Listen })},
	{"tls.cert", "", "PEM file of the certificate chain, for TLS in the process; it is read again when it changes. Empty: no TLS.", reloadable, stringField(func(c *Config) *string { return &c.TLS.Cert })},
	{"tls.key", "", "PEM file of the certificate's private key.", reloadable, stringField(func(c *Config) *string { return &c.TLS.Key })},
	{"proxies", "", "Networks of trusted proxies. The client is the rightmost address in X-Forwarded-For that is not in them. Empty: the header is ignored.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Proxies })},
	{"origins", "", "Origin patterns of other sites whose pages may open WebSockets. The same origin and clients without Origin are always accepted.", list | reloadable, patternsField(func(c *Config) *[]string { return &c.Origins })},
	{"cors", "", "Origin patterns of other sites whose pages may use the HTTP API. The same origin is always accepted.", list | reloadable, patternsField(func(c *Config) *[]string { return &c.CORS })},
	{"ops.listen", "127.0.0.1:9090", "Address (host:port) for /metrics, /healthz, /readyz and /debug/pprof.", scalar, stringField(func(c *Config) *string { return &c.Ops.Listen })},
	{"data", "./data", "Directory of the embedded store; \"memory\" stores nothing on disk.", scalar, stringField(func(c *Config) *string { return &c.Data })},
	{"node", "", "Name of this node. Empty: the host name and a random suffix.", scalar, stringField(func(c *Config) *string { return &c.Node })},
	{"log.level", "info", "Log level: debug, info, warn or error.", reloadable, parseLogLevel},
	{"log.format", "", "Log format: console or json. Empty: console on a terminal, otherwise json.", scalar, choiceField(func(c *Config) *string { return &c.Log.Format }, "", "console", "json")},
	{"auth.secret", "", "HS256 key that signs tokens, at least 32 bytes. Empty: generated for development, unless another auth key is set.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Auth.Secret })},
	{"auth.secrets", "", "HS256 keys by key id (kid), for rotation: kid=secret,kid=secret.", fileForm | pairs | secret | reloadable, secretMapField(func(c *Config) *map[string]Secret { return &c.Auth.Secrets })},
	{"auth.jwks_url", "", "URL of a JWK set with the keys that sign tokens. Empty: none.", credential | reloadable, stringField(func(c *Config) *string { return &c.Auth.JWKSURL })},
	{"auth.public_key", "", "PEM of an RSA, P-256 or Ed25519 public key that verifies tokens. Empty: none.", fileForm | reloadable, stringField(func(c *Config) *string { return &c.Auth.PublicKey })},
	{"auth.issuer", "", "Required issuer (iss) of tokens. Empty: not checked.", reloadable, stringField(func(c *Config) *string { return &c.Auth.Issuer })},
	{"auth.audience", "", "Required audience (aud) of tokens. Empty: not checked.", reloadable, stringField(func(c *Config) *string { return &c.Auth.Audience })},
	{"viewer.anonymous", "", "Whether viewers need no token: true or false. Empty: true if auth.secret is generated, otherwise false.", reloadable, skipEmpty(boolField(func(c *Config) *bool { return &c.Viewer.Anonymous }))},
	{"bizid", "8888", "Prefix of every live code, before an underscore.", scalar, stringField(func(c *Config) *string { return &c.BizID })},
	{"code", "{bizid}_{anchor}", "Template of the live code, with {bizid}, {anchor}, {anchor_hash} and {session}.", scalar, stringField(func(c *Config) *string { return &c.Code })},
	{"code_key", "", "Key of {anchor_hash}; a different key gives different live codes. Empty: generated for development, if the template needs it.", fileForm | secret, secretField(func(c *Config) *Secret { return &c.CodeKey })},
	{"lists", "live", "Names of the lists; the first is the default.", list, listField(func(c *Config) *[]string { return &c.Lists })},
	{"list.show", "start", "When a stream is listed: at its start (start), or at the first evidence of its push (publish).", scalar, choiceField(func(c *Config) *string { return &c.List.Show }, "start", "publish")},
	{"takeover", "newest", "Second start of an anchor: newest ends the first session; refuse rejects the second while the first has an attached socket.", scalar, choiceField(func(c *Config) *string { return &c.Takeover }, "newest", "refuse")},
	{"heartbeat.interval", "60s", "Time between two beats. A shorter interval detects lost anchors sooner and costs more.", scalar, durationField(func(c *Config) *time.Duration { return &c.Heartbeat.Interval })},
	{"heartbeat.missed", "3", "Number of missed beats that end a session.", scalar, positiveIntField(func(c *Config) *int { return &c.Heartbeat.Missed })},
	{"heartbeat.grace", "", "Extra time for the network after a beat is due. Empty: a tenth of the interval, at most 5s.", scalar, skipEmpty(durationField(func(c *Config) *time.Duration { return &c.Heartbeat.Grace }))},
	{"settings.revision", "1", "Revision of the settings that all nodes share. Increase it when you change heartbeat, takeover, list.show, liveness, poll.interval, poll.offline_after, webhooks.events or moderation.provider.", scalar, positiveIntField(func(c *Config) *int64 { return &c.Settings.Revision })},
	{"push.provider", "tencent", "Provider of push URLs: " + strings.Join(signing.Providers(), ", ") + ".", scalar, choiceField(func(c *Config) *string { return &c.Push.Provider }, signing.Providers()...)},
	{"push.template", "", "Signature formula of the provider template: sign={md5 key path time}&t={time hex}.", scalar, stringField(func(c *Config) *string { return &c.Push.Template })},
	{"push.domain", "{bizid}.livepush.myqcloud.com", "Domain of push URLs.", scalar, stringField(func(c *Config) *string { return &c.Push.Domain })},
	{"push.app", "live", "Application (path) of push URLs.", scalar, stringField(func(c *Config) *string { return &c.Push.App })},
	{"push.key", "", "Key that signs push URLs. Empty: generated for development.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Push.Key })},
	{"push.backup_key", "", "Second key that is accepted in push URLs. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Push.BackupKey })},
	{"push.ttl", "24h", "Time in which a push may begin. A short time breaks reconnects; a long time extends the use of a leaked URL.", scalar, durationField(func(c *Config) *time.Duration { return &c.Push.TTL })},
	{"push.delta", "0s", "Validity that the push domain adds to the time in a URL.", scalar, durationField(func(c *Config) *time.Duration { return &c.Push.Delta })},
	{"push.algorithm", "md5", "Signature algorithm: md5, or sha256 with the provider tencent.", scalar, choiceField(func(c *Config) *string { return &c.Push.Algorithm }, "md5", "sha256")},
	{"play.provider", "tencent", "Provider of play URLs; the choices are those of push.provider.", reloadable, choiceField(func(c *Config) *string { return &c.Play.Provider }, signing.Providers()...)},
	{"play.template", "", "Signature formula of the provider template, as in push.template.", reloadable, stringField(func(c *Config) *string { return &c.Play.Template })},
	{"play.providers", "", "Providers of single play domains, instead of play.provider: b.example.com=aliyun_a.", pairs | reloadable, mapField(func(c *Config) *map[string]string { return &c.Play.Providers }, parseDomainProvider)},
	{"play.keys", "", "Keys of single play domains, instead of play.key: b.example.com=KEY.", fileForm | pairs | secret | reloadable, secretMapField(func(c *Config) *map[string]Secret { return &c.Play.Keys })},
	{"play.backup_keys", "", "Second keys that are accepted in URLs of single play domains.", fileForm | pairs | secret | reloadable, secretMapField(func(c *Config) *map[string]Secret { return &c.Play.BackupKeys })},
	{"play.domain", "{bizid}.liveplay.myqcloud.com", "Domains of play URLs, optionally with weights: a.example.com=3,b.example.com=1.", list | pairs | reloadable, parsePlayDomains},
	{"play.app", "live", "Application (path) of play URLs.", scalar, stringField(func(c *Config) *string { return &c.Play.App })},
	{"play.scheme", "https", "Scheme of FLV and HLS play URLs: https or http.", scalar, choiceField(func(c *Config) *string { return &c.Play.Scheme }, "https", "http")},
	{"play.ports", "", "Ports of play URLs by protocol: rtmp=1935,flv=8080,hls=8080. Empty: the default ports.", pairs, mapField(func(c *Config) *map[string]int { return &c.Play.Ports }, parseProtocolPort)},
	{"play.key", "", "Key that signs play URLs. Empty: generated for development.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Play.Key })},
	{"play.backup_key", "", "Second key that is accepted in play URLs. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Play.BackupKey })},
	{"play.ttl", "2h", "Longest validity of a play URL; the shortest is half of it.", scalar, durationField(func(c *Config) *time.Duration { return &c.Play.TTL })},
	{"play.delta", "0s", "Validity that the play domain adds to the time in a URL.", reloadable, durationField(func(c *Config) *time.Duration { return &c.Play.Delta })},
	{"play.deltas", "", "Validity that single play domains add, instead of play.delta: b.example.com=30m.", pairs | reloadable, mapField(func(c *Config) *map[string]time.Duration { return &c.Play.Deltas }, parseDomainDelta)},
	{"play.protocols", "rtmp,flv,hls", "Protocols of play URLs: rtmp, flv, hls, webrtc.", list, listField(func(c *Config) *[]string { return &c.Play.Protocols }, playProtocols...)},
	{"play.templates", "", "Transcoding suffixes by name: hd=550,sd=900. Empty: none.", pairs, mapField(func(c *Config) *map[string]string { return &c.Play.Templates }, parseTemplateSuffix)},
	{"play.algorithm", "md5", "Signature algorithm: md5, or sha256 with the provider tencent.", reloadable, choiceField(func(c *Config) *string { return &c.Play.Algorithm }, "md5", "sha256")},
	{"vod.provider", "none", "Provider of playback URLs for recordings: none, plain, tencent (VOD) or secure_link (nginx).", reloadable, choiceField(func(c *Config) *string { return &c.VOD.Provider }, "none", "plain", "tencent", "secure_link")},
	{"vod.key", "", "Key that signs playback URLs.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.VOD.Key })},
	{"vod.ttl", "2h", "Validity of a playback URL.", reloadable, durationField(func(c *Config) *time.Duration { return &c.VOD.TTL })},
	{"vod.domain", "", "Base URL of playback URLs, for example https://vod.example.com. Empty: the URL that the provider reported.", credential | reloadable, urlField(func(c *Config) *string { return &c.VOD.Domain })},
	{"vod.root", "", "Prefix of file paths on a media server that playback URLs omit.", reloadable, stringField(func(c *Config) *string { return &c.VOD.Root })},
	{"hooks.tencent.enabled", "false", "Whether callbacks of Tencent Cloud Live are served at /v1/hooks/tencent.", reloadable, boolField(func(c *Config) *bool { return &c.Hooks.Tencent.Enabled })},
	{"hooks.tencent.key", "", "Callback key from the callback template in Tencent's console; it signs callbacks. Empty: signatures are not checked.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.TencentKey })},
	{"hooks.tencent.secret", "", "Path segment that callbacks must have: /v1/hooks/tencent/SECRET. The signature does not cover the body. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.Tencent.Secret })},
	{"hooks.tencent.allow", "", "Networks that may send these callbacks. Empty: all.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Hooks.Tencent.Allow })},
	{"hooks.srs.enabled", "false", "Whether callbacks of SRS are served at /v1/hooks/srs: on_publish, on_unpublish, on_play, on_stop, on_dvr.", reloadable, boolField(func(c *Config) *bool { return &c.Hooks.SRS.Enabled })},
	{"hooks.srs.secret", "", "Path segment that callbacks must have: /v1/hooks/srs/SECRET. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.SRS.Secret })},
	{"hooks.srs.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Hooks.SRS.Allow })},
	{"hooks.nginx_rtmp.enabled", "false", "Whether callbacks of nginx-rtmp are served at /v1/hooks/nginx-rtmp: publish, publish_done, play, play_done, update, record_done.", reloadable, boolField(func(c *Config) *bool { return &c.Hooks.NginxRTMP.Enabled })},
	{"hooks.nginx_rtmp.secret", "", "Path segment that callbacks must have: /v1/hooks/nginx-rtmp/SECRET. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.NginxRTMP.Secret })},
	{"hooks.nginx_rtmp.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Hooks.NginxRTMP.Allow })},
	{"hooks.mediamtx.enabled", "false", "Whether HTTP authentication and run-on commands of MediaMTX are served at /v1/hooks/mediamtx.", reloadable, boolField(func(c *Config) *bool { return &c.Hooks.MediaMTX.Enabled })},
	{"hooks.mediamtx.secret", "", "Path segment that callbacks must have: /v1/hooks/mediamtx/SECRET. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.MediaMTX.Secret })},
	{"hooks.mediamtx.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Hooks.MediaMTX.Allow })},
	{"hooks.zlm.enabled", "false", "Whether hooks of ZLMediaKit are served at /v1/hooks/zlm/EVENT: on_publish, on_play, on_stream_changed, on_record_mp4, on_stream_none_reader.", reloadable, boolField(func(c *Config) *bool { return &c.Hooks.ZLM.Enabled })},
	{"hooks.zlm.secret", "", "Path segment that callbacks must have: /v1/hooks/zlm/SECRET/EVENT. Empty: none.", fileForm | secret | reloadable, secretField(func(c *Config) *Secret { return &c.Hooks.ZLM.Secret })},
	{"hooks.zlm.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, networksField(func(c *Config) *[]netip.Prefix { return &c.Hooks.ZLM.Allow })},
	{"liveness.end_grace", "30s", "Time from the end of a push to the end of its session, unless a new push begins. A longer time tolerates slower encoders.", scalar, durationField(func(c *Config) *time.Duration { return &c.Liveness.EndGrace })},
	{"liveness.start_within", "10m", "Time in which a push must begin, for a session without heartbeats.", scalar, durationField(func(c *Config) *time.Duration { return &c.Liveness.StartWithin })},
	{"liveness.callback_only", "24h", "Time without callbacks that ends a session with no other source.", scalar, durationField(func(c *Config) *time.Duration { return &c.Liveness.CallbackOnly })},
	{"liveness.media", "advisory", "Weight of offline polls: advisory, or required. With required they end a session even while beats arrive, and before its first push.", scalar, choiceField(func(c *Config) *string { return &c.Liveness.Media }, "advisory", "required")},
	{"liveness.poll_blind", "15m", "Time that polls of one session may fail while other polls succeed. Then a session with no other source ends.", scalar, durationField(func(c *Config) *time.Duration { return &c.Liveness.PollBlind })},
	{"cloud.secret_id", "", "SecretId of Tencent Cloud's API.", scalar, stringField(func(c *Config) *string { return &c.Cloud.SecretID })},
	{"cloud.secret_key", "", "SecretKey of Tencent Cloud's API.", fileForm | secret, secretField(func(c *Config) *Secret { return &c.Cloud.SecretKey })},
	{"cloud.app_id", "", "appid of Tencent's legacy live code API.", scalar, stringField(func(c *Config) *string { return &c.Cloud.AppID })},
	{"cloud.api_key", "", "API authentication key of Tencent's legacy live code API.", fileForm | secret, secretField(func(c *Config) *Secret { return &c.Cloud.APIKey })},
	{"cloud.url", "", "URL of the provider's API, SRS's HTTP API or nginx-rtmp's statistics page. Empty: the provider's default endpoint.", credential, urlField(func(c *Config) *string { return &c.Cloud.URL })},
	{"cloud.vod_url", "", "URL of Tencent VOD's API. Empty: its default endpoint.", credential, urlField(func(c *Config) *string { return &c.Cloud.VODURL })},
	{"cloud.vod_app_id", "", "Tencent VOD's application (SubAppId) of recordings. Empty: the account's default, which accounts since the end of 2023 do not have.", scalar, parseVODAppID},
	{"cloud.control_url", "", "URL of nginx-rtmp's control module, for example http://127.0.0.1:8080/control.", credential, urlField(func(c *Config) *string { return &c.Cloud.ControlURL })},
	{"poll.provider", "", "Provider that is polled for the state of pushes: " + cloudProviders + ". Empty: no polls.", scalar, choiceField(func(c *Config) *string { return &c.Poll.Provider }, "", Tencent, TencentLegacy, SRS, NginxRTMP)},
	{"poll.interval", "60s", "Time between two polls of a stream.", scalar, durationField(func(c *Config) *time.Duration { return &c.Poll.Interval })},
	{"poll.offline_after", "3", "Number of consecutive offline polls that count as offline.", scalar, positiveIntField(func(c *Config) *int64 { return &c.Poll.OfflineAfter })},
	{"poll.rate", "20/s", "Most requests per second. A higher rate detects changes sooner and comes closer to the provider's limit.", scalar, rateField(func(c *Config) *float64 { return &c.Poll.Rate })},
	{"moderation.provider", "", "Provider that cuts the pushes of kicked and banned anchors: " + cloudProviders + ". Empty: none.", scalar, choiceField(func(c *Config) *string { return &c.Moderation.Provider }, "", Tencent, TencentLegacy, SRS, NginxRTMP)},
	{"recordings.keep", "0s", "Retention time of recordings. 0s: unlimited.", scalar, durationField(func(c *Config) *time.Duration { return &c.Recordings.Keep })},
	{"recordings.min", "0s", "Minimum duration of a recording; shorter ones are ignored.", scalar, durationField(func(c *Config) *time.Duration { return &c.Recordings.Min })},
	{"recordings.provider", "", "Provider whose list of recordings is compared with callbacks: tencent or tencent_legacy. Empty: no comparison.", scalar, choiceField(func(c *Config) *string { return &c.Recordings.Provider }, "", Tencent, TencentLegacy)},
	{"recordings.every", "10m", "Time between two comparisons.", scalar, durationField(func(c *Config) *time.Duration { return &c.Recordings.Every })},
	{"webhooks.url", "", "Webhook endpoint URL. Empty: no webhooks.", credential, urlField(func(c *Config) *string { return &c.Webhooks.URL })},
	{"webhooks.secret", "", "Keys that sign webhooks, each whsec_ and base64. Set two during a rotation.", list | fileForm | secret | reloadable, parseWebhookSecrets},
	{"webhooks.events", "stream.started,stream.away,stream.resumed,stream.ended,recording.ready", "Types of events to deliver.", list, listField(func(c *Config) *[]string { return &c.Webhooks.Events }, WebhookEvents...)},
	{"webhooks.retry", "24h", "Time in which a failed delivery is retried.", scalar, durationField(func(c *Config) *time.Duration { return &c.Webhooks.Retry })},
	{"redis.addrs", "", "Addresses (host:port) of the Redis that nodes share. Several are a Cluster, or Sentinels if redis.master_name is set. Empty: the embedded store.", list, listField(func(c *Config) *[]string { return &c.Redis.Addrs })},
	{"redis.master_name", "", "Name of the primary that the Sentinels at redis.addrs monitor. Empty: no Sentinels.", scalar, stringField(func(c *Config) *string { return &c.Redis.MasterName })},
	{"redis.username", "", "ACL user of Redis. Empty: the default user.", scalar, stringField(func(c *Config) *string { return &c.Redis.Username })},
	{"redis.password", "", "Password of Redis. Empty: none.", fileForm | secret, secretField(func(c *Config) *Secret { return &c.Redis.Password })},
	{"redis.sentinel_username", "", "ACL user of the Sentinels. Empty: the default user.", scalar, stringField(func(c *Config) *string { return &c.Redis.SentinelUsername })},
	{"redis.sentinel_password", "", "Password of the Sentinels. Empty: none.", fileForm | secret, secretField(func(c *Config) *Secret { return &c.Redis.SentinelPassword })},
	{"redis.db", "0", "Number of the Redis database. A Cluster has only 0.", scalar, parseRedisDB},
	{"redis.tls", "false", "Whether to use TLS to Redis and Sentinels.", scalar, boolField(func(c *Config) *bool { return &c.Redis.TLS })},
	{"redis.ca", "", "PEM file of the authority that signed Redis's certificates. Empty: the system's authorities.", scalar, stringField(func(c *Config) *string { return &c.Redis.CA })},
	{"redis.prefix", "onair", "Prefix of all Redis keys. Deployments that share a Redis need different ones.", scalar, stringField(func(c *Config) *string { return &c.Redis.Prefix })},
	{"flight.dir", "", "Directory for execution traces of the last seconds, written when the list is late. Empty: no flight recorder.", scalar, stringField(func(c *Config) *string { return &c.Flight.Dir })},
	{"flight.latency", "1s", "List latency that triggers a trace.", scalar, durationField(func(c *Config) *time.Duration { return &c.Flight.Latency })},
	{"hub.tick", "250ms", "Minimum time between two diffs of a view.", scalar, durationField(func(c *Config) *time.Duration { return &c.Hub.Tick })},
	{"hub.counters", "2s", "Minimum time between two diffs that change only viewers and likes.", scalar, durationField(func(c *Config) *time.Duration { return &c.Hub.Counters })},
	{"idle", "25s", "Time without a diff on a view before an empty diff is sent.", scalar, durationField(func(c *Config) *time.Duration { return &c.Idle })},
	{"limits.message", "16KiB", "Maximum size of a message on an anchor socket.", reloadable, byteSizeField(func(c *Config) *int { return &c.Limits.Message })},
	{"limits.viewer_message", "64KiB", "Maximum size of a message on a viewer socket.", reloadable, byteSizeField(func(c *Config) *int { return &c.Limits.ViewerMessage })},
	{"limits.rate", "20", "Maximum messages per second on one socket, and HTTP calls per second of one anchor.", reloadable, positiveFloatField(func(c *Config) *float64 { return &c.Limits.Rate })},
	{"limits.burst", "40", "Maximum burst of messages on one socket, and of HTTP calls of one anchor.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.Burst })},
	{"limits.sockets", "18000", "Maximum number of sockets; lower if the process may open fewer files.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.Sockets })},
	{"limits.sockets_per_address", "1000", "Maximum number of sockets from one address.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.SocketsPerAddress })},
	{"limits.views_per_socket", "8", "Maximum number of views of one socket.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.ViewsPerSocket })},
	{"limits.views", "20000", "Maximum number of different views.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.Views })},
	{"limits.watches_per_socket", "8", "Maximum number of streams that one socket watches.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.WatchesPerSocket })},
	{"limits.window", "500", "Largest limit of a query, at most 10000.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.Window })},
	{"limits.snapshots_per_socket", "1/s", "Maximum rate of snapshots to one socket.", reloadable, rateField(func(c *Config) *float64 { return &c.Limits.SnapshotsPerSocket })},
	{"limits.streams", "1000000", "Maximum number of live streams.", reloadable, positiveIntField(func(c *Config) *int { return &c.Limits.Streams })},
	{"limits.handshakes", "5000/s", "Maximum rate of new sockets. More are rejected for a while, to protect the sockets that are open.", reloadable, rateField(func(c *Config) *float64 { return &c.Limits.Handshakes })},
	{"limits.batch", "256KiB", "Maximum size of a batch that the node appends to the log.", scalar, byteSizeField(func(c *Config) *int { return &c.Limits.Batch })},
	{"drain", "20s", "Time in which a stopping node sends its sockets to other nodes.", scalar, durationField(func(c *Config) *time.Duration { return &c.Drain })},
}
