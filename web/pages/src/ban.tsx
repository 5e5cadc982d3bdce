import { useState } from 'preact/hooks'
import { Confirm } from './confirm'
import { t } from './i18n'
import type { Operations } from './operations'
import { instant, Until } from './until'

/** Bans an anchor, for a time or for ever. */
export function BanAnchor(p: { operations: Operations, anchor: string, done: () => void, close: () => void }) {
  const [until, setUntil] = useState('')
  const [reason, setReason] = useState('')
  return (
    <Confirm
      title={t('ban')} text={t('ban says', { anchor: p.anchor })} done={p.done} close={p.close}
      act={() => p.operations.ban(p.anchor, { until: instant(until), reason: reason.trim() || undefined })}
    >
      <Until label={t('until')} never="for ever" value={until} change={setUntil} />
      <label>{t('reason')}<input value={reason} maxLength={256} onInput={e => setReason(e.currentTarget.value)} /></label>
    </Confirm>
  )
}
