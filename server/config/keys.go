package config

import (
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"onair/signing"
)

// key is one key of the configuration.
type key struct {
	name        string // in the file
	defaultText string
	help        string
	form        keyForm
	field
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
	{"listen", "127.0.0.1:8080", "Address (host:port) for HTTP and WebSocket. While development secrets are in use, only a loopback address is accepted.", scalar, fieldOf(func(c *Config) *string { return &c.Listen }, parseHostPort)},
	{"tls.cert", "", "PEM file of the certificate chain, for TLS in the process; it is read again when it changes. Empty: no TLS.", reloadable, fieldOf(func(c *Config) *string { return &c.TLS.Cert }, parseString)},
	{"tls.key", "", "PEM file of the certificate's private key.", reloadable, fieldOf(func(c *Config) *string { return &c.TLS.Key }, parseString)},
	{"proxies", "", "Networks of trusted proxies. The client is the rightmost address in X-Forwarded-For that is not in them. Empty: the header is ignored.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Proxies }, parseNetworks)},
	{"origins", "", "Origins of other sites whose pages may open WebSockets: app.example.com, https://*.example.com:8443, null (pages of files). The same origin and clients without Origin are always accepted.", list | reloadable, fieldOf(func(c *Config) *[]string { return &c.Origins }, parseOrigins)},
	{"cors", "", "Origins of other sites whose pages may use the HTTP API, written as in origins. The same origin is always accepted.", list | reloadable, fieldOf(func(c *Config) *[]string { return &c.CORS }, parseOrigins)},
	{"ops.listen", "127.0.0.1:9090", "Address (host:port) for /metrics, /healthz, /readyz and /debug/pprof.", scalar, fieldOf(func(c *Config) *string { return &c.Ops.Listen }, parseHostPort)},
	{"data", "./data", "Directory of the embedded store; \"memory\" stores nothing on disk.", scalar, fieldOf(func(c *Config) *string { return &c.Data }, parseString)},
	{"node", "", "Name of this node. Empty: the host name and a random suffix.", scalar, fieldOf(func(c *Config) *string { return &c.Node }, parseString)},
	{"log.level", "info", "Log level: debug, info, warn or error.", reloadable, fieldOf(func(c *Config) *zerolog.Level { return &c.Log.Level }, parseLogLevel)},
	{"log.format", "", "Log format: console or json. Empty: console on a terminal, otherwise json.", scalar, fieldOf(func(c *Config) *string { return &c.Log.Format }, oneOf("", "console", "json"))},
	{"auth.secret", "", "HS256 key that signs tokens, at least 32 bytes. Empty: generated for development, unless another auth key is set.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Auth.Secret }, parseSecret)},
	{"auth.secrets", "", "HS256 keys by key id (kid), for rotation: kid=secret,kid=secret.", fileForm | pairs | secret | reloadable, fieldOf(func(c *Config) *map[string]Secret { return &c.Auth.Secrets }, mapOf(parseNamedSecret))},
	{"auth.jwks_url", "", "URL of a JWK set with the keys that sign tokens. Empty: none.", credential | reloadable, fieldOf(func(c *Config) *URL { return &c.Auth.JWKSURL }, parseOptionalURL)},
	{"auth.public_key", "", "PEM of an RSA, P-256 or Ed25519 public key that verifies tokens. Empty: none.", fileForm | reloadable, fieldOf(func(c *Config) *string { return &c.Auth.PublicKey }, parseString)},
	{"auth.issuer", "", "Required issuer (iss) of tokens. Empty: not checked.", reloadable, fieldOf(func(c *Config) *string { return &c.Auth.Issuer }, parseString)},
	{"auth.audience", "", "Required audience (aud) of tokens. Empty: not checked.", reloadable, fieldOf(func(c *Config) *string { return &c.Auth.Audience }, parseString)},
	{"viewer.anonymous", "", "Whether viewers need no token: true or false. Empty: true if auth.secret is generated, otherwise false.", reloadable, fieldOf(func(c *Config) *bool { return &c.Viewer.Anonymous }, optional(parseBool))},
	{"bizid", "8888", "Prefix of every live code, before an underscore.", scalar, fieldOf(func(c *Config) *string { return &c.BizID }, parseName)},
	{"code", "{bizid}_{anchor}", "Template of the live code, with {bizid}, {anchor}, {anchor_hash} and {session}.", scalar, fieldOf(func(c *Config) *string { return &c.Code }, parseString)},
	{"code_key", "", "Key of {anchor_hash}; a different key gives different live codes. Empty: generated for development, if the template needs it.", fileForm | secret, fieldOf(func(c *Config) *Secret { return &c.CodeKey }, parseSecret)},
	{"lists", "live", "Names of the lists; the first is the default.", list, fieldOf(func(c *Config) *[]string { return &c.Lists }, listOf())},
	{"list.show", "start", "When a stream is listed: at its start (start), or at the first evidence of its push (publish).", scalar, fieldOf(func(c *Config) *string { return &c.List.Show }, oneOf("start", "publish"))},
	{"takeover", "newest", "Second start of an anchor: newest ends the first session; refuse rejects the second while the first has an attached socket.", scalar, fieldOf(func(c *Config) *string { return &c.Takeover }, oneOf("newest", "refuse"))},
	{"heartbeat.interval", "60s", "Time between two beats. A shorter interval detects lost anchors sooner and costs more.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Heartbeat.Interval }, atLeast(100*time.Millisecond, parseDuration))},
	{"heartbeat.missed", "3", "Number of missed beats that end a session.", scalar, fieldOf(func(c *Config) *int { return &c.Heartbeat.Missed }, atMost(maxMissed, parsePositiveInt[int]))},
	{"heartbeat.grace", "", "Extra time for the network after a beat is due. Empty: a tenth of the interval, at most 5s.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Heartbeat.Grace }, optional(parseDuration))},
	{"settings.revision", "1", "Revision of the settings that all nodes share. Increase it when you change heartbeat, takeover, list.show, liveness, poll.interval, poll.offline_after, webhooks.events or moderation.provider.", scalar, fieldOf(func(c *Config) *int64 { return &c.Settings.Revision }, parsePositiveInt[int64])},
	{"push.provider", "tencent", "Provider of push URLs: " + strings.Join(signing.Providers(), ", ") + ".", scalar, fieldOf(func(c *Config) *string { return &c.Push.Provider }, oneOf(signing.Providers()...))},
	{"push.template", "", "Signature formula of the provider template: sign={md5 key path time}&t={time hex}.", scalar, fieldOf(func(c *Config) *string { return &c.Push.Template }, parseString)},
	{"push.domain", "{bizid}.livepush.myqcloud.com", "Domain of push URLs.", scalar, fieldOf(func(c *Config) *string { return &c.Push.Domain }, parseString)},
	{"push.app", "live", "Application (path) of push URLs.", scalar, fieldOf(func(c *Config) *string { return &c.Push.App }, parseName)},
	{"push.key", "", "Key that signs push URLs. Empty: generated for development.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Push.Key }, parseSecret)},
	{"push.backup_key", "", "Second key that is accepted in push URLs. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Push.BackupKey }, parseSecret)},
	{"push.ttl", "24h", "Time in which a push may begin. A short time breaks reconnects; a long time extends the use of a leaked URL.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Push.TTL }, atLeast(time.Second, parseDuration))},
	{"push.delta", "0s", "Validity that the push domain adds to the time in a URL.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Push.Delta }, parseDuration)},
	{"push.algorithm", "md5", "Signature algorithm: md5, or sha256 with the provider tencent.", scalar, fieldOf(func(c *Config) *string { return &c.Push.Algorithm }, oneOf("md5", "sha256"))},
	{"play.provider", "tencent", "Provider of play URLs; the choices are those of push.provider.", reloadable, fieldOf(func(c *Config) *string { return &c.Play.Provider }, oneOf(signing.Providers()...))},
	{"play.template", "", "Signature formula of the provider template, as in push.template.", reloadable, fieldOf(func(c *Config) *string { return &c.Play.Template }, parseString)},
	{"play.providers", "", "Providers of single play domains, instead of play.provider: b.example.com=aliyun_a.", pairs | reloadable, fieldOf(func(c *Config) *map[string]string { return &c.Play.Providers }, mapOf(parseDomainProvider))},
	{"play.keys", "", "Keys of single play domains, instead of play.key: b.example.com=KEY.", fileForm | pairs | secret | reloadable, fieldOf(func(c *Config) *map[string]Secret { return &c.Play.Keys }, mapOf(parseNamedSecret))},
	{"play.backup_keys", "", "Second keys that are accepted in URLs of single play domains.", fileForm | pairs | secret | reloadable, fieldOf(func(c *Config) *map[string]Secret { return &c.Play.BackupKeys }, mapOf(parseNamedSecret))},
	{"play.domain", "{bizid}.liveplay.myqcloud.com", "Domains of play URLs, optionally with weights: a.example.com=3,b.example.com=1.", list | pairs | reloadable, fieldOf(func(c *Config) *[]WeightedDomain { return &c.Play.Domains }, parseWeightedDomains)},
	{"play.app", "live", "Application (path) of play URLs.", scalar, fieldOf(func(c *Config) *string { return &c.Play.App }, parseName)},
	{"play.server", "cdn", "Server that plays streams, which decides the paths of HTTP-FLV and HLS: " + strings.Join(signing.Servers(), ", ") + ".", scalar, fieldOf(func(c *Config) *string { return &c.Play.Server }, oneOf(signing.Servers()...))},
	{"play.scheme", "https", "Scheme of FLV and HLS play URLs: https or http.", scalar, fieldOf(func(c *Config) *string { return &c.Play.Scheme }, oneOf("https", "http"))},
	{"play.ports", "", "Ports of play URLs by protocol: rtmp=1935,flv=8080,hls=8080. Empty: the default ports.", pairs, fieldOf(func(c *Config) *map[string]int { return &c.Play.Ports }, mapOf(parseProtocolPort))},
	{"play.key", "", "Key that signs play URLs. Empty: generated for development.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Play.Key }, parseSecret)},
	{"play.backup_key", "", "Second key that is accepted in play URLs. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Play.BackupKey }, parseSecret)},
	{"play.ttl", "2h", "Longest validity of a play URL; the shortest is half of it.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Play.TTL }, atLeast(2*time.Second, parseDuration))},
	{"play.delta", "0s", "Validity that the play domain adds to the time in a URL.", reloadable, fieldOf(func(c *Config) *time.Duration { return &c.Play.Delta }, parseDuration)},
	{"play.deltas", "", "Validity that single play domains add, instead of play.delta: b.example.com=30m.", pairs | reloadable, fieldOf(func(c *Config) *map[string]time.Duration { return &c.Play.Deltas }, mapOf(parseDomainDelta))},
	{"play.protocols", "rtmp,flv,hls", "Protocols of play URLs: rtmp, flv, hls, webrtc.", list, fieldOf(func(c *Config) *[]string { return &c.Play.Protocols }, listOf(playProtocols...))},
	{"play.templates", "", "Transcoding suffixes by name: hd=550,sd=900. Empty: none.", pairs, fieldOf(func(c *Config) *map[string]string { return &c.Play.Templates }, mapOf(parseTemplateSuffix))},
	{"play.algorithm", "md5", "Signature algorithm: md5, or sha256 with the provider tencent.", reloadable, fieldOf(func(c *Config) *string { return &c.Play.Algorithm }, oneOf("md5", "sha256"))},
	{"vod.provider", "none", "Provider of playback URLs for recordings: none, plain, tencent (VOD) or secure_link (nginx).", reloadable, fieldOf(func(c *Config) *string { return &c.VOD.Provider }, oneOf("none", "plain", "tencent", "secure_link"))},
	{"vod.key", "", "Key that signs playback URLs.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.VOD.Key }, parseSecret)},
	{"vod.ttl", "2h", "Validity of a playback URL.", reloadable, fieldOf(func(c *Config) *time.Duration { return &c.VOD.TTL }, atLeast(time.Second, parseDuration))},
	{"vod.domain", "", "Base URL of playback URLs, for example https://vod.example.com. Empty: the URL that the provider reported.", credential | reloadable, fieldOf(func(c *Config) *URL { return &c.VOD.Domain }, parseOptionalURL)},
	{"vod.root", "", "Prefix of file paths on a media server that playback URLs omit.", reloadable, fieldOf(func(c *Config) *string { return &c.VOD.Root }, parseString)},
	{"hooks.tencent.enabled", "false", "Whether callbacks of Tencent Cloud Live are served at /v1/hooks/tencent.", reloadable, fieldOf(func(c *Config) *bool { return &c.Hooks.Tencent.Enabled }, parseBool)},
	{"hooks.tencent.key", "", "Callback key from the callback template in Tencent's console; it signs callbacks. Empty: signatures are not checked.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.TencentKey }, parseSecret)},
	{"hooks.tencent.secret", "", "Path segment that callbacks must have: /v1/hooks/tencent/SECRET. The signature does not cover the body. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.Tencent.Secret }, parseSecret)},
	{"hooks.tencent.allow", "", "Networks that may send these callbacks. Empty: all.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Hooks.Tencent.Allow }, parseNetworks)},
	{"hooks.srs.enabled", "false", "Whether callbacks of SRS are served at /v1/hooks/srs: on_publish, on_unpublish, on_play, on_stop, on_dvr.", reloadable, fieldOf(func(c *Config) *bool { return &c.Hooks.SRS.Enabled }, parseBool)},
	{"hooks.srs.secret", "", "Path segment that callbacks must have: /v1/hooks/srs/SECRET. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.SRS.Secret }, parseSecret)},
	{"hooks.srs.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Hooks.SRS.Allow }, parseNetworks)},
	{"hooks.nginx_rtmp.enabled", "false", "Whether callbacks of nginx-rtmp are served at /v1/hooks/nginx-rtmp: publish, publish_done, play, play_done, update, record_done.", reloadable, fieldOf(func(c *Config) *bool { return &c.Hooks.NginxRTMP.Enabled }, parseBool)},
	{"hooks.nginx_rtmp.secret", "", "Path segment that callbacks must have: /v1/hooks/nginx-rtmp/SECRET. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.NginxRTMP.Secret }, parseSecret)},
	{"hooks.nginx_rtmp.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Hooks.NginxRTMP.Allow }, parseNetworks)},
	{"hooks.mediamtx.enabled", "false", "Whether HTTP authentication and run-on commands of MediaMTX are served at /v1/hooks/mediamtx.", reloadable, fieldOf(func(c *Config) *bool { return &c.Hooks.MediaMTX.Enabled }, parseBool)},
	{"hooks.mediamtx.secret", "", "Path segment that callbacks must have: /v1/hooks/mediamtx/SECRET. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.MediaMTX.Secret }, parseSecret)},
	{"hooks.mediamtx.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Hooks.MediaMTX.Allow }, parseNetworks)},
	{"hooks.zlm.enabled", "false", "Whether hooks of ZLMediaKit are served at /v1/hooks/zlm/EVENT: on_publish, on_play, on_stream_changed, on_record_mp4, on_stream_none_reader.", reloadable, fieldOf(func(c *Config) *bool { return &c.Hooks.ZLM.Enabled }, parseBool)},
	{"hooks.zlm.secret", "", "Path segment that callbacks must have: /v1/hooks/zlm/SECRET/EVENT. Empty: none.", fileForm | secret | reloadable, fieldOf(func(c *Config) *Secret { return &c.Hooks.ZLM.Secret }, parseSecret)},
	{"hooks.zlm.allow", "127.0.0.0/8,::1", "Networks that may send these callbacks.", list | reloadable, fieldOf(func(c *Config) *[]netip.Prefix { return &c.Hooks.ZLM.Allow }, parseNetworks)},
	{"liveness.end_grace", "30s", "Time from the end of a push to the end of its session, unless a new push begins. A longer time tolerates slower encoders.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Liveness.EndGrace }, parseDuration)},
	{"liveness.start_within", "10m", "Time in which a push must begin, for a session without heartbeats.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Liveness.StartWithin }, atLeast(time.Second, parseDuration))},
	{"liveness.callback_only", "24h", "Time without callbacks that ends a session with no other source.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Liveness.CallbackOnly }, atLeast(time.Second, parseDuration))},
	{"liveness.media", "advisory", "Weight of offline polls: advisory, or required. With required they end a session even while beats arrive, and before its first push.", scalar, fieldOf(func(c *Config) *string { return &c.Liveness.Media }, oneOf("advisory", "required"))},
	{"liveness.poll_blind", "15m", "Time that polls of one session may fail while other polls succeed. Then a session with no other source ends.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Liveness.PollBlind }, parseDuration)},
	{"cloud.secret_id", "", "SecretId of Tencent Cloud's API.", scalar, fieldOf(func(c *Config) *string { return &c.Cloud.SecretID }, parseString)},
	{"cloud.secret_key", "", "SecretKey of Tencent Cloud's API.", fileForm | secret, fieldOf(func(c *Config) *Secret { return &c.Cloud.SecretKey }, parseSecret)},
	{"cloud.app_id", "", "appid of Tencent's legacy live code API.", scalar, fieldOf(func(c *Config) *string { return &c.Cloud.AppID }, parseString)},
	{"cloud.api_key", "", "API authentication key of Tencent's legacy live code API.", fileForm | secret, fieldOf(func(c *Config) *Secret { return &c.Cloud.APIKey }, parseSecret)},
	{"cloud.url", "", "URL of the provider's API, SRS's HTTP API or nginx-rtmp's statistics page. Empty: the provider's default endpoint.", credential, fieldOf(func(c *Config) *URL { return &c.Cloud.URL }, parseOptionalURL)},
	{"cloud.vod_url", "", "URL of Tencent VOD's API. Empty: its default endpoint.", credential, fieldOf(func(c *Config) *URL { return &c.Cloud.VODURL }, parseOptionalURL)},
	{"cloud.vod_app_id", "", "Tencent VOD's application (SubAppId) of recordings. Empty: the account's default, which accounts since the end of 2023 do not have.", scalar, fieldOf(func(c *Config) *int64 { return &c.Cloud.VODAppID }, optional(parsePositiveInt[int64]))},
	{"cloud.control_url", "", "URL of nginx-rtmp's control module, for example http://127.0.0.1:8080/control.", credential, fieldOf(func(c *Config) *URL { return &c.Cloud.ControlURL }, parseOptionalURL)},
	{"poll.provider", "", "Provider that is polled for the state of pushes: " + cloudProviders + ". Empty: no polls.", scalar, fieldOf(func(c *Config) *string { return &c.Poll.Provider }, oneOf("", Tencent, TencentLegacy, SRS, NginxRTMP))},
	{"poll.interval", "60s", "Time between two polls of a stream.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Poll.Interval }, atLeast(time.Second, parseDuration))},
	{"poll.offline_after", "3", "Number of consecutive offline polls that count as offline.", scalar, fieldOf(func(c *Config) *int64 { return &c.Poll.OfflineAfter }, atMost(maxOfflinePolls, parsePositiveInt[int64]))},
	{"poll.rate", "20/s", "Most requests per second. A higher rate detects changes sooner and comes closer to the provider's limit.", scalar, fieldOf(func(c *Config) *float64 { return &c.Poll.Rate }, parsePerSecondRate)},
	{"moderation.provider", "", "Provider that cuts the pushes of kicked and banned anchors: " + cloudProviders + ". Empty: none.", scalar, fieldOf(func(c *Config) *string { return &c.Moderation.Provider }, oneOf("", Tencent, TencentLegacy, SRS, NginxRTMP))},
	{"recordings.keep", "0s", "Retention time of recordings. 0s: unlimited.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Recordings.Keep }, parseDuration)},
	{"recordings.min", "0s", "Minimum duration of a recording; shorter ones are ignored.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Recordings.Min }, parseDuration)},
	{"recordings.provider", "", "Provider whose list of recordings is compared with callbacks: tencent or tencent_legacy. Empty: no comparison.", scalar, fieldOf(func(c *Config) *string { return &c.Recordings.Provider }, oneOf("", Tencent, TencentLegacy))},
	{"recordings.every", "10m", "Time between two comparisons.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Recordings.Every }, atLeast(time.Minute, parseDuration))},
	{"webhooks.url", "", "Webhook endpoint URL. Empty: no webhooks.", credential, fieldOf(func(c *Config) *URL { return &c.Webhooks.URL }, parseOptionalURL)},
	{"webhooks.secret", "", "Keys that sign webhooks, each whsec_ and base64. Set two during a rotation.", list | fileForm | secret | reloadable, fieldOf(func(c *Config) *[]Secret { return &c.Webhooks.Secrets }, parseSecrets)},
	{"webhooks.events", "stream.started,stream.away,stream.resumed,stream.ended,recording.ready", "Types of events to deliver.", list, fieldOf(func(c *Config) *[]string { return &c.Webhooks.Events }, listOf(WebhookEvents...))},
	{"webhooks.retry", "24h", "Time in which a failed delivery is retried.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Webhooks.Retry }, atLeast(time.Second, parseDuration))},
	{"redis.addrs", "", "Addresses (host:port) of the Redis that nodes share. One may be any node of a Cluster. Several are a Cluster, or Sentinels if redis.master_name is set. Empty: the embedded store.", list | credential, fieldOf(func(c *Config) *[]string { return &c.Redis.Addrs }, listOf())},
	{"redis.master_name", "", "Name of the primary that the Sentinels at redis.addrs monitor. Empty: no Sentinels.", scalar, fieldOf(func(c *Config) *string { return &c.Redis.MasterName }, parseString)},
	{"redis.username", "", "ACL user of Redis. Empty: the default user.", scalar, fieldOf(func(c *Config) *string { return &c.Redis.Username }, parseString)},
	{"redis.password", "", "Password of Redis. Empty: none.", fileForm | secret, fieldOf(func(c *Config) *Secret { return &c.Redis.Password }, parseSecret)},
	{"redis.sentinel_username", "", "ACL user of the Sentinels. Empty: the default user.", scalar, fieldOf(func(c *Config) *string { return &c.Redis.SentinelUsername }, parseString)},
	{"redis.sentinel_password", "", "Password of the Sentinels. Empty: none.", fileForm | secret, fieldOf(func(c *Config) *Secret { return &c.Redis.SentinelPassword }, parseSecret)},
	{"redis.db", "0", "Number of the Redis database. A Cluster has only 0.", scalar, fieldOf(func(c *Config) *int { return &c.Redis.DB }, parseDatabaseNumber)},
	{"redis.tls", "false", "Whether to use TLS to Redis and Sentinels.", scalar, fieldOf(func(c *Config) *bool { return &c.Redis.TLS }, parseBool)},
	{"redis.ca", "", "PEM file of the authority that signed Redis's certificates. Empty: the system's authorities.", scalar, fieldOf(func(c *Config) *string { return &c.Redis.CA }, parseString)},
	{"redis.prefix", "onair", "Prefix of all Redis keys. Deployments that share a Redis need different ones.", scalar, fieldOf(func(c *Config) *string { return &c.Redis.Prefix }, parseString)},
	{"flight.dir", "", "Directory for execution traces of the last seconds, written when the list is late. Empty: no flight recorder.", scalar, fieldOf(func(c *Config) *string { return &c.Flight.Dir }, parseString)},
	{"flight.latency", "1s", "List latency that triggers a trace.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Flight.Latency }, atLeast(time.Millisecond, parseDuration))},
	{"hub.tick", "250ms", "Minimum time between two diffs of a view.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Hub.Tick }, atLeast(time.Millisecond, parseDuration))},
	{"hub.counters", "2s", "Minimum time between two diffs that change only viewers and likes.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Hub.Counters }, parseDuration)},
	{"idle", "25s", "Time without a diff on a view before an empty diff is sent.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Idle }, atLeast(time.Second, parseDuration))},
	{"limits.message", "16KiB", "Maximum size of a message on an anchor socket.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Message }, parseByteSize)},
	{"limits.viewer_message", "64KiB", "Maximum size of a message on a viewer socket.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.ViewerMessage }, parseByteSize)},
	{"limits.rate", "20", "Maximum messages per second on one socket, and HTTP calls per second of one anchor.", reloadable, fieldOf(func(c *Config) *float64 { return &c.Limits.Rate }, parsePositiveFloat)},
	{"limits.burst", "40", "Maximum burst of messages on one socket, and of HTTP calls of one anchor.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Burst }, parsePositiveInt[int])},
	{"limits.sockets", "18000", "Maximum number of sockets; lower if the process may open fewer files.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Sockets }, parsePositiveInt[int])},
	{"limits.sockets_per_address", "1000", "Maximum number of sockets from one address.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.SocketsPerAddress }, parsePositiveInt[int])},
	{"limits.views_per_socket", "8", "Maximum number of views of one socket.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.ViewsPerSocket }, parsePositiveInt[int])},
	{"limits.views", "20000", "Maximum number of different views.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Views }, parsePositiveInt[int])},
	{"limits.watches_per_socket", "8", "Maximum number of streams that one socket watches.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.WatchesPerSocket }, parsePositiveInt[int])},
	{"limits.window", "500", "Largest limit of a query, at most 10000.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Window }, atMost(maxWindow, parsePositiveInt[int]))},
	{"limits.snapshots_per_socket", "1/s", "Maximum rate of snapshots to one socket.", reloadable, fieldOf(func(c *Config) *float64 { return &c.Limits.SnapshotsPerSocket }, parsePerSecondRate)},
	{"limits.streams", "1000000", "Maximum number of live streams.", reloadable, fieldOf(func(c *Config) *int { return &c.Limits.Streams }, parsePositiveInt[int])},
	{"limits.handshakes", "5000/s", "Maximum rate of new sockets. More are rejected for a while, to protect the sockets that are open.", reloadable, fieldOf(func(c *Config) *float64 { return &c.Limits.Handshakes }, parsePerSecondRate)},
	{"limits.batch", "256KiB", "Maximum size of a batch that the node appends to the log.", scalar, fieldOf(func(c *Config) *int { return &c.Limits.Batch }, parseByteSize)},
	{"leave", "0s", "Time for which a stopping node is not ready but still admits sockets, until load balancers send no more. Then it drains.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Leave }, parseDuration)},
	{"drain", "20s", "Time in which a stopping node sends its sockets to other nodes.", scalar, fieldOf(func(c *Config) *time.Duration { return &c.Drain }, parseDuration)},
}
