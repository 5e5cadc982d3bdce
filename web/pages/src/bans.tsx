import { OnairError } from 'onair'
import { useState } from 'preact/hooks'
import { BanAnchor } from './ban'
import { Confirm } from './confirm'
import { moment, t } from './i18n'
import type { Ban, Operations } from './operations'

/** Whether an anchor is banned; here bans are set and lifted. */
export function Bans(p: { operations: Operations }) {
  const [anchor, setAnchor] = useState('')
  const [found, setFound] = useState<{ anchor: string, ban?: Ban }>()
  const [failure, setFailure] = useState('')
  const [asking, setAsking] = useState<'ban' | 'lift'>()
  const look = (whom: string) => p.operations.banOf(whom)
    .catch((e: OnairError) => {
      if (e.code === 'not_found') return undefined
      throw e
    })
    .then(ban => {
      setFailure('')
      setFound({ anchor: whom, ban })
    })
    .catch((e: Error) => {
      setFound(undefined)
      setFailure(e.message)
    })
  return (
    <div class="stack">
      <form class="row end" onSubmit={e => { e.preventDefault(); void look(anchor.trim()) }}>
        <label class="grow">{t('anchor')}<input required value={anchor} autocomplete="off" spellcheck={false} onInput={e => setAnchor(e.currentTarget.value)} /></label>
        <button type="submit" class="first">{t('look up')}</button>
      </form>
      {failure && <p class="error" role="alert">{failure}</p>}
      {found && (
        <section class="card stack" aria-live="polite">
          <h2>{found.anchor}</h2>
          {found.ban ? (
            <dl class="facts">
              <dt>{t('banned')}</dt><dd>{found.ban.until ? t('until at', { at: moment(found.ban.until) }) : t('for ever')}</dd>
              {found.ban.reason && <><dt>{t('reason')}</dt><dd>{found.ban.reason}</dd></>}
              {found.ban.by && <><dt>{t('by')}</dt><dd>{found.ban.by}</dd></>}
            </dl>
          ) : <p>{t('not banned')}</p>}
          <div class="row">
            {found.ban && <button type="button" onClick={() => setAsking('lift')}>{t('lift')}</button>}
            <button type="button" onClick={() => setAsking('ban')}>{found.ban ? t('ban anew') : t('ban')}</button>
          </div>
        </section>
      )}
      {found && asking === 'ban' && (
        <BanAnchor operations={p.operations} anchor={found.anchor} ban={found.ban} done={() => void look(found.anchor)} close={() => setAsking(undefined)} />
      )}
      {found && asking === 'lift' && (
        <Confirm
          title={t('lift')} text={t('lift says', { anchor: found.anchor })} act={() => p.operations.lift(found.anchor)}
          done={() => void look(found.anchor)} close={() => setAsking(undefined)}
        />
      )}
    </div>
  )
}
