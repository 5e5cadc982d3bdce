import { useState } from 'preact/hooks'
import type { AdminClient, Ban } from './adminclient'
import { ConfirmDialog } from './confirmdialog'
import { DateTimeField, toFieldValue, toUnixMs } from './datetimefield'
import { t } from './i18n'

/** Bans an anchor until a time or permanently, or changes its ban. */
export function BanDialog(p: { admin: AdminClient, anchor: string, ban?: Ban, onDone: () => void, onClose: () => void }) {
  const [until, setUntil] = useState(p.ban?.until ? toFieldValue(p.ban.until) : '')
  const [reason, setReason] = useState(p.ban?.reason ?? '')
  return (
    <ConfirmDialog
      title={p.ban ? t('change ban') : t('ban')} text={t('ban text', { anchor: p.anchor })} onDone={p.onDone} onClose={p.onClose}
      action={() => p.admin.putBan(p.anchor, { until: toUnixMs(until), reason: reason.trim() || undefined })}
    >
      <DateTimeField label={t('until')} emptyLabel="permanent" value={until} onChange={setUntil} />
      <label>{t('reason')}<input value={reason} maxLength={256} onInput={e => setReason(e.currentTarget.value)} /></label>
    </ConfirmDialog>
  )
}
