import { texts } from './texts'
import { loadItem, storeItem } from './webstorage'

export type TextKey = keyof typeof texts
export type Language = 'en' | 'zh'

const storageKey = 'onair.language'

/** The language that the user chose, or the browser's. */
export function language(): Language {
  const chosen = loadItem('localStorage', storageKey)
  if (chosen === 'en' || chosen === 'zh') return chosen
  return navigator.language.startsWith('zh') ? 'zh' : 'en'
}

/** Stores the other language, and reloads the page. */
export function switchLanguage(): void {
  storeItem('localStorage', storageKey, language() === 'en' ? 'zh' : 'en')
  location.reload()
}

const column = language() === 'zh' ? 1 : 0
export const locale = column ? 'zh-CN' : 'en'
document.documentElement.lang = locale

/** A text in the language of the page, with its {placeholders} replaced. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  return texts[key][column].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
}
