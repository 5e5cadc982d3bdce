import type { Word } from './i18n'

/** One part of a signed URL: a parameter, or what stands at a place of its own. `at` is the time that it writes, in Unix milliseconds. */
export interface Part {
  name?: string
  place?: Word
  value: string
  meaning: Word
  at?: number
}

const digestNames = /secret|sign|token|^md5$|^key1$|^k$|^auth_key$/i
const timeNames = /time$|^t$|^expires?$|^key2$/i

/** Takes a signed URL apart. It is no matter for `URL`: those of SRT have a `#` of their own. */
export function partsOf(url: string): Part[] {
  const [, scheme = '', domain = '', path = '', query = ''] = /^([a-z]+):\/\/([^/?]+)\/?([^?]*)(?:\?(.*))?$/.exec(url) ?? []
  const parts: Part[] = [{ place: 'scheme', value: scheme, meaning: 'part protocol' }, { place: 'host', value: domain, meaning: 'part domain' }]
  const steps = path.split('/').filter(Boolean)
  const signed = steps.some(isDigest)
  steps.forEach((value, i) => {
    const place = 'path'
    const at = signed ? minutes(value) ?? seconds(value) : undefined
    if (isDigest(value)) parts.push({ place, value, meaning: 'part digest' })
    else if (at !== undefined) parts.push({ place, value, meaning: 'part time', at })
    else parts.push({ place, value, meaning: i === steps.length - 1 ? 'part stream' : 'part app' })
  })
  for (const text of query.split('&').filter(Boolean)) {
    const [name, value] = halves(text)
    if (value.startsWith('#!::')) parts.push(...value.slice(4).split(',').map(inner => parameter(...halves(inner))))
    else parts.push(parameter(name, value))
  }
  return parts
}

function parameter(name: string, value: string): Part {
  const joined = /^(\d{10})-[^-]*-[^-]*-[0-9a-f]+$/.exec(value) // time, random, user, digest
  if (joined) return { name, value, meaning: 'part joined', at: seconds(joined[1]!) }
  if (name === 'h') return { name, value, meaning: 'part domain' }
  if (name === 'r') return { name, value, meaning: 'part resource' }
  const at = timeNames.test(name) ? seconds(value) : undefined
  if (at !== undefined) return { name, value, meaning: 'part time', at }
  return { name, value, meaning: digestNames.test(name) ? 'part digest' : 'part other' }
}

function halves(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{32}$/i.test(text)
}

/** Unix seconds, as ten decimal or eight hexadecimal digits. */
function seconds(text: string): number | undefined {
  if (/^\d{10}$/.test(text)) return Number(text) * 1000
  return /^[0-9a-f]{8}$/i.test(text) ? parseInt(text, 16) * 1000 : undefined
}

/** Year to minute, by the clock of China, as signatures of type B have them. */
function minutes(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)
  return m ? Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}+08:00`) : undefined
}
