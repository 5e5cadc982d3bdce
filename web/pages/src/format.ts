import { locale } from './i18n'

const numberFormat = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })
const minuteFormat = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'short' })
const secondFormat = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'medium' })
const clockFormat = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })

export const compactNumber = (n: number): string => numberFormat.format(n)
/** Date and time to the minute. */
export const shortDateTime = (ms: number): string => minuteFormat.format(ms)
/** Date and time to the second. */
export const dateTime = (ms: number): string => secondFormat.format(ms)
export const timeOfDay = (ms: number): string => clockFormat.format(ms)

/** Hours, minutes and seconds. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000)
  const twoDigits = (n: number) => String(n).padStart(2, '0')
  return `${s >= 3600 ? Math.floor(s / 3600) + ':' + twoDigits(Math.floor(s / 60) % 60) : Math.floor(s / 60)}:${twoDigits(s % 60)}`
}
