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
} as const satisfies Record<string, readonly [string, string]>

export type Word = keyof typeof words
export type Language = 'en' | 'zh'

const key = 'onair.language'

export function language(): Language {
  const chosen = localStorage.getItem(key)
  if (chosen === 'en' || chosen === 'zh') return chosen
  return navigator.language.startsWith('zh') ? 'zh' : 'en'
}

/** Changes the language, and shows the page in it. */
export function switchLanguage(): void {
  localStorage.setItem(key, language() === 'en' ? 'zh' : 'en')
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

export const number = (n: number): string => numbers.format(n)
export const time = (ms: number): string => times.format(ms)

/** Hours, minutes and seconds. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${s >= 3600 ? Math.floor(s / 3600) + ':' + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)}:${two(s % 60)}`
}
