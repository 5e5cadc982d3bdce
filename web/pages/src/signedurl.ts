import type { TextKey } from './i18n'

/** One part of a signed URL: a parameter with a `name`, or another part with a `label`. */
export interface URLPart {
  name?: string
  label?: TextKey
  value: string
  meaning: TextKey
  /** The time that the part encodes, in Unix milliseconds. */
  time?: number
}

const digestNames = /secret|sign|token|^md5$|^key1$|^k$|^auth_key$/i
const timeNames = /time$|^t$|^expires?$|^key2$/i

/** The parts of a signed URL. The class `URL` cannot parse SRT URLs, whose stream id contains a `#`. */
export function urlParts(url: string): URLPart[] {
  const [, scheme = '', host = '', path = '', query = ''] = /^([a-z]+):\/\/([^/?]+)\/?([^?]*)(?:\?(.*))?$/.exec(url) ?? []
  const parts: URLPart[] = [{ label: 'scheme', value: scheme, meaning: 'part protocol' }, { label: 'host', value: host, meaning: 'part domain' }, ...pathParts(path)]
  for (const parameter of query.split('&').filter(Boolean)) {
    const [name, value] = splitParameter(parameter)
    if (value.startsWith('#!::')) parts.push(...value.slice(4).split(',').map(inner => parameterPart(...splitParameter(inner))))
    else parts.push(parameterPart(name, value))
  }
  return parts
}

function pathParts(path: string): URLPart[] {
  const segments = path.split('/').filter(Boolean)
  const isSigned = segments.some(isDigest)
  return segments.map((value, i) => {
    const label = 'path'
    const time = isSigned ? parseChinaTime(value) ?? parseUnixSeconds(value) : undefined
    if (isDigest(value)) return { label, value, meaning: 'part digest' }
    if (time !== undefined) return { label, value, meaning: 'part time', time }
    return { label, value, meaning: i === segments.length - 1 ? 'part stream' : 'part app' }
  })
}

function parameterPart(name: string, value: string): URLPart {
  const combined = /^(\d{10})-[^-]*-[^-]*-[0-9a-f]+$/.exec(value) // time, random number, user, digest
  if (combined) return { name, value, meaning: 'part combined', time: parseUnixSeconds(combined[1]!) }
  if (name === 'h') return { name, value, meaning: 'part domain' }
  if (name === 'r') return { name, value, meaning: 'part resource' }
  const time = timeNames.test(name) ? parseUnixSeconds(value) : undefined
  if (time !== undefined) return { name, value, meaning: 'part time', time }
  return { name, value, meaning: digestNames.test(name) ? 'part digest' : 'part other' }
}

function splitParameter(text: string): [name: string, value: string] {
  const i = text.indexOf('=')
  return i < 0 ? [text, ''] : [text.slice(0, i), text.slice(i + 1)]
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{32}$/i.test(text)
}

/** Unix milliseconds of Unix seconds in ten decimal or eight hexadecimal digits. */
function parseUnixSeconds(text: string): number | undefined {
  if (/^\d{10}$/.test(text)) return Number(text) * 1000
  return /^[0-9a-f]{8}$/i.test(text) ? parseInt(text, 16) * 1000 : undefined
}

/** Unix milliseconds of year to minute in China's time zone, as signatures of type B contain. */
function parseChinaTime(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)
  return m ? Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}+08:00`) : undefined
}
