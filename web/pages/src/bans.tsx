import { OnairError } from 'onair'
import { useState } from 'preact/hooks'
import type { AdminClient, Ban } from './adminclient'
import { BanDialog } from './bandialog'
import { ConfirmDialog } from './confirmdialog'
import { dateTime } from './format'
import { t } from './i18n'

/** The console's section that looks up, sets and lifts the ban of an anchor. */
export function Bans(p: { admin: AdminClient }) {
  const [anchor, setAnchor] = useState('')
  const [found, setFound] = useState<{ anchor: string, ban?: Ban }>()
  const [error, setError] = useState('')
  const [dialog, setDialog] = useState<'ban' | 'lift'>()
  const lookUp = (anchor: string) => p.admin.getBan(anchor)
    .catch((e: OnairError) => {
      if (e.code === 'not_found') return undefined
      throw e
    })
    .then(ban => {
      setError('')
      setFound({ anchor, ban })
    })
    .catch((e: Error) => {
      setFound(undefined)
      setError(e.message)
    })
  const closeDialog = () => setDialog(undefined)
  return (
    <div class="stack">
      <form class="row end" onSubmit={e => { e.preventDefault(); void lookUp(anchor.trim()) }}>
        <label class="grow">{t('anchor')}<input required value={anchor} autocomplete="off" spellcheck={false} onInput={e => setAnchor(e.currentTarget.value)} /></label>
        <button type="submit" class="first">{t('look up')}</button>
      </form>
      {error && <p class="error" role="alert">{error}</p>}
      {found && (
        <section class="card stack" aria-live="polite">
          <h2>{found.anchor}</h2>
          {found.ban ? <BanFacts ban={found.ban} /> : <p>{t('not banned')}</p>}
          <div class="row">
            {found.ban && <button type="button" onClick={() => setDialog('lift')}>{t('lift')}</button>}
            <button type="button" onClick={() => setDialog('ban')}>{found.ban ? t('change ban') : t('ban')}</button>
          </div>
        </section>
      )}
      {found && dialog === 'ban' && (
        <BanDialog admin={p.admin} anchor={found.anchor} ban={found.ban} onDone={() => void lookUp(found.anchor)} onClose={closeDialog} />
      )}
      {found && dialog === 'lift' && (
        <ConfirmDialog
          title={t('lift')} text={t('lift text', { anchor: found.anchor })} action={() => p.admin.deleteBan(found.anchor)}
          onDone={() => void lookUp(found.anchor)} onClose={closeDialog}
        />
      )}
    </div>
  )
}

function BanFacts({ ban }: { ban: Ban }) {
  return (
    <dl class="facts">
      <dt>{t('banned')}</dt><dd>{ban.until ? t('until time', { time: dateTime(ban.until) }) : t('permanent')}</dd>
      {ban.reason && <><dt>{t('reason')}</dt><dd>{ban.reason}</dd></>}
      {ban.by && <><dt>{t('by')}</dt><dd>{ban.by}</dd></>}
    </dl>
  )
}
