import { useState } from 'preact/hooks'
import { Confirm } from './confirm'
import { t } from './i18n'
import type { Ban, Operations } from './operations'
import { instant, local, Until } from './until'

/** Bans an anchor, for a time or for ever; or changes the ban that there is. */
export function BanAnchor(p: { operations: Operations, anchor: string, ban?: Ban, done: () => void, close: () => void }) {
  const [until, setUntil] = useState(p.ban?.until ? local(p.ban.until) : '')
  const [reason, setReason] = useState(p.ban?.reason ?? '')
  return (
    <Confirm
      title={p.ban ? t('ban anew') : t('ban')} text={t('ban says', { anchor: p.anchor })} done={p.done} close={p.close}
      act={() => p.operations.ban(p.anchor, { until: instant(until), reason: reason.trim() || undefined })}
    >
      <Until label={t('until')} never="for ever" value={until} change={setUntil} />
      <label>{t('reason')}<input value={reason} maxLength={256} onInput={e => setReason(e.currentTarget.value)} /></label>
    </Confirm>
  )
}
