import { keep, kept } from './kept'

/** What pages say, in English and 简体中文. */
const words = {
  'wall': ['On air', '直播'],
  'studio': ['Studio', '开播'],
  'console': ['Console', '控制台'],
  'recordings': ['Recordings', '回放'],
  'streams': ['{n} on air', '{n} 路直播'],
  'nobody': ['Nobody is on air.', '当前没有直播。'],
  'no recordings': ['There are no recordings.', '没有回放。'],
  'nothing found': ['Nothing here matches.', '没有符合的结果。'],
  'search': ['Search', '搜索'],
  'sort': ['Sort', '排序'],
  'by viewers': ['Viewers', '观众数'],
  'by likes': ['Likes', '点赞数'],
  'by started': ['Newest', '最新'],
  'list': ['List', '列表'],
  'tag': ['Tag', '标签'],
  'all tags': ['All', '全部'],
  'state starting': ['starting', '即将开始'],
  'state live': ['live', '直播中'],
  'state away': ['back soon', '马上回来'],
  'viewers': ['{n} watching', '{n} 人观看'],
  'likes': ['♥ {n}', '♥ {n}'],
  'like': ['Like', '点赞'],
  'close': ['Close', '关闭'],
  'ended': ['This stream has ended.', '直播已结束。'],
  'cannot play': ['The picture cannot be played here: {why}', '无法播放：{why}'],
  'no url': ['there is no URL that a browser plays (FLV or HLS)', '没有浏览器能播放的地址（FLV 或 HLS）'],
  'phase idle': ['not connected', '未连接'],
  'phase connecting': ['connecting', '连接中'],
  'phase open': ['connected', '已连接'],
  'phase waiting': ['connection lost, trying again', '连接中断，正在重试'],
  'phase stopped': ['disconnected', '已断开'],
  'language': ['中文', 'English'],
  'token': ['Token', '令牌'],
  'token needed': ['This needs a token. In development the server prints them when it starts.', '需要令牌。开发模式下服务器启动时会打印令牌。'],
  'use token': ['Use it', '使用'],
  'forget token': ['Forget the token', '清除令牌'],
  'more': ['More', '更多'],
  'go live': ['Go live', '开始直播'],
  'stop': ['Stop', '停止'],
  'title': ['Title', '标题'],
  'cover': ['Cover (https URL)', '封面（https 地址）'],
  'tags': ['Tags, by commas', '标签，用逗号分隔'],
  'update': ['Update', '更新'],
  'push here': ['Push your video here', '推流地址'],
  'server': ['Server', '服务器'],
  'stream key': ['Stream key', '串流密钥'],
  'copy': ['Copy', '复制'],
  'copied': ['Copied', '已复制'],
  'fresh url': ['Fresh URL', '刷新地址'],
  'valid until': ['Valid until {at}', '有效期至 {at}'],
  'qr': ['QR code of the push URL', '推流地址二维码'],
  'heartbeat': ['Heartbeat', '心跳'],
  'next beat': ['next in {s} s', '{s} 秒后下一次'],
  'beat sent': ['beat {n}', '第 {n} 次心跳'],
  'beat heard': ['heard after {ms} ms', '{ms} 毫秒后确认'],
  'beat held': ['heard, not promised yet', '已收到，尚未确认'],
  'beat missed': ['no answer', '无应答'],
  'crash': ['Crash', '模拟崩溃'],
  'crash says': ['Cuts the connection without a word, as a crash would: three missed beats end the broadcast.', '不告而断，如同崩溃：三次心跳缺失后直播结束。'],
  'resume': ['Come back', '恢复'],
  'broadcast idle': ['Not on air', '未开播'],
  'broadcast starting': ['Starting', '正在开播'],
  'broadcast live': ['On air', '直播中'],
  'broadcast interrupted': ['Connection lost: coming back', '连接中断，正在恢复'],
  'broadcast ended': ['Ended: {why}', '已结束：{why}'],
  'summary': ['{time}, at most {viewers} watching, {likes} likes', '时长 {time}，最高 {viewers} 人观看，{likes} 个赞'],
  'crashed': ['Crashed. The server does not know yet.', '已崩溃。服务器尚不知情。'],
  // The console.
  'section streams': ['Streams', '直播流'],
  'section charts': ['Charts', '图表'],
  'section recordings': ['Recordings', '回放'],
  'section bans': ['Bans', '封禁'],
  'section addresses': ['Addresses', '地址生成器'],
  'section dead letters': ['Dead letters', '死信'],
  'mint': ['The console takes a token of role admin. This mints one with the server\'s auth.secret:', '控制台需要 admin 角色的令牌。用服务器的 auth.secret 签发：'],
  'token refused': ['The server refuses this token: {why}', '服务器拒绝了此令牌：{why}'],
  'no answer': ['The server does not answer. It is asked again.', '服务器没有应答，将再次尝试。'],
  'cancel': ['Cancel', '取消'],
  'state': ['State', '状态'],
  'sessions on air': ['on air', '在播'],
  'sessions starting': ['starting', '即将开始'],
  'sessions live': ['live', '直播中'],
  'sessions away': ['away', '暂离'],
  'sessions ended': ['ended', '已结束'],
  'shown': ['{n} shown', '共 {n} 条'],
  'shown so far': ['{n} shown, there are more', '已显示 {n} 条，还有更多'],
  'none': ['There are none.', '没有。'],
  'none so far': ['None so far; there are more to look at.', '目前没有，还有更多未查看。'],
  'stream': ['Stream', '直播流'],
  'watching': ['Viewers', '观众数'],
  'peak': ['Peak', '峰值观众'],
  'started at': ['Started', '开始时间'],
  'ended at': ['Ended', '结束时间'],
  'lasted': ['Time', '时长'],
  'unlisted': ['unlisted', '不在列表中'],
  'anchor': ['Anchor', '主播'],
  'live code': ['Live code', '直播码'],
  'session': ['Session', '场次'],
  'at most': ['{n}, at most {peak}', '{n}，最高 {peak}'],
  'sources': ['Lives by', '存活依据'],
  'evidence': ['Evidence', '依据'],
  'no evidence': ['Nothing was heard of it.', '没有收到任何信号。'],
  'source': ['Source', '来源'],
  'sign': ['Sign', '信号'],
  'age': ['Age', '距今'],
  'time': ['Time', '时间'],
  'detail': ['Detail', '详情'],
  'ends in': ['It ends in {time} if nothing more is heard.', '若再无信号，{time} 后结束。'],
  'rule nothing_heard': ['A push URL was issued; no beat and no push was heard yet.', '已签发推流地址，尚未收到心跳或推流。'],
  'rule heard': ['A beat or a push was heard, and nothing speaks against it.', '已收到心跳或推流，没有相反的信号。'],
  'rule missed_beat': ['A beat is overdue.', '心跳已超时。'],
  'rule media_ended': ['The media server says that the push has ended, and none has begun since.', '媒体服务器报告推流已断开，之后没有新的推流。'],
  'rule stopped': ['The anchor, or its back end, stopped it.', '主播或其后端停止了直播。'],
  'rule missed_beats': ['As many beats were missed as end a session.', '连续缺失心跳，达到结束场次的次数。'],
  'rule taken_over': ['The same anchor started again.', '同一主播重新开播。'],
  'rule kicked': ['An operator ended it.', '运营人员结束了直播。'],
  'rule banned': ['An operator banned the anchor.', '运营人员封禁了主播。'],
  'rule stream_lost': ['Nothing was published for too long.', '太久没有推流。'],
  'kick': ['Kick', '踢下线'],
  'kick says': ['This ends “{title}” of {anchor} at once. The anchor may start again.', '将立即结束 {anchor} 的“{title}”。主播可以重新开播。'],
  'ban': ['Ban', '封禁'],
  'ban anew': ['Change the ban', '修改封禁'],
  'ban says': ['This ends what {anchor} has on air, and refuses starts and pushes.', '将结束 {anchor} 的直播，并拒绝其开播和推流。'],
  'banned': ['Banned', '已封禁'],
  'not banned': ['This anchor is not banned.', '该主播未被封禁。'],
  'lift': ['Lift the ban', '解除封禁'],
  'lift says': ['{anchor} may go on air again.', '{anchor} 将可以重新开播。'],
  'look up': ['Look up', '查询'],
  'until': ['Until', '截止时间'],
  'until at': ['until {at}', '至 {at}'],
  'reason': ['Reason', '原因'],
  'by': ['By', '操作人'],
  '1 hour': ['1 hour', '1 小时'],
  '1 day': ['1 day', '1 天'],
  '7 days': ['7 days', '7 天'],
  '30 days': ['30 days', '30 天'],
  'for ever': ['for ever', '永久'],
  'by default': ['by default', '默认'],
  'dead letters say': ['What could not be told to the app\'s back end, or done at the provider, and was given up. The last thousand.', '未能通知业务后端、或未能在云端执行而被放弃的事件，保留最近一千条。'],
  'no dead letters': ['There are none: all was delivered, or is still being tried.', '没有死信：均已送达，或仍在重试。'],
  'event': ['Event', '事件'],
  'subject': ['About', '对象'],
  'why': ['Why', '原因'],
  'expiry': ['Valid until', '过期时间'],
  'generate': ['Generate', '生成地址'],
  'push': ['Push', '推流'],
  'play': ['Play', '播放'],
  'parts': ['Parts of the {of} URL', '{of} 地址的组成'],
  'parameter': ['Parameter', '参数'],
  'value': ['Value', '值'],
  'meaning': ['Meaning', '含义'],
  'scheme': ['scheme', '协议'],
  'host': ['host', '主机'],
  'path': ['path', '路径'],
  'part protocol': ['protocol', '传输协议'],
  'part domain': ['domain of the provider', '推流或播放域名'],
  'part app': ['application', '应用名'],
  'part stream': ['stream: the live code', '流名：直播码'],
  'part resource': ['application and stream', '应用名和流名'],
  'part digest': ['signature: a digest of key, stream and time, which only who has the key can make', '签名：密钥、流名与时间的摘要，只有持有密钥者能生成'],
  'part time': ['time that is signed; with a validity that the provider adds, it ends later', '被签名的时间；若服务商另加有效时长，则顺延'],
  'part joined': ['time, random number, user and signature, joined', '时间、随机数、用户与签名的拼接'],
  'part other': ['of the provider', '服务商参数'],
  'charts say': ['What one node has counted since this page was opened, every 5 s for at most an hour. Streams are those of all nodes.', '本页打开以来单个节点的统计，每 5 秒一次，最多一小时；直播流为全部节点之和。'],
  'node': ['Node', '节点'],
  'streams by state': ['Streams by state', '各状态直播流'],
  'connections': ['Connections', '连接数'],
  'viewer sockets': ['viewers', '观众'],
  'anchor sockets': ['anchors', '主播'],
  'event streams': ['event streams', '事件流'],
  'per second': ['A second', '每秒'],
  'frames': ['messages to sockets', '下发消息'],
  'beats': ['heartbeats', '心跳'],
  'told in': ['How soon, in ms', '时延（毫秒）'],
  'list latency': ['the list to viewers, 99th percentile', '列表到观众，99 分位'],
  'answer time': ['an answer to this page', '应答本页'],
  'machine': ['CPU and memory', '处理器与内存'],
  'cpu': ['% of a core', '单核百分比'],
  'memory': ['MiB', 'MiB'],
} as const satisfies Record<string, readonly [string, string]>

export type Word = keyof typeof words
export type Language = 'en' | 'zh'

const key = 'onair.language'

export function language(): Language {
  const chosen = kept('localStorage', key)
  if (chosen === 'en' || chosen === 'zh') return chosen
  return navigator.language.startsWith('zh') ? 'zh' : 'en'
}

/** Changes the language, and shows the page in it. */
export function switchLanguage(): void {
  keep('localStorage', key, language() === 'en' ? 'zh' : 'en')
  location.reload()
}

const column = language() === 'zh' ? 1 : 0
document.documentElement.lang = column ? 'zh-CN' : 'en'

/** A text with its {places} filled in. */
export function t(word: Word, places: Record<string, string | number> = {}): string {
  return words[word][column].replace(/\{(\w+)\}/g, (_, name: string) => String(places[name] ?? ''))
}

const numbers = new Intl.NumberFormat(document.documentElement.lang, { notation: 'compact', maximumFractionDigits: 1 })
const times = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'short', timeStyle: 'short' })
const moments = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'short', timeStyle: 'medium' })
const clocks = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: 'medium' })

export const number = (n: number): string => numbers.format(n)
export const time = (ms: number): string => times.format(ms)
/** To the second, for what is compared. */
export const moment = (ms: number): string => moments.format(ms)
/** The time of day. */
export const clock = (ms: number): string => clocks.format(ms)

/** Hours, minutes and seconds. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${s >= 3600 ? Math.floor(s / 3600) + ':' + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)}:${two(s % 60)}`
}
