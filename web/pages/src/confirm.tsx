import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from './i18n'

/** Asks before something is done that others notice. It stays open with the reason when it fails. */
export function Confirm(p: { title: string, text: string, act: () => Promise<unknown>, done: () => void, close: () => void, children?: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [failure, setFailure] = useState('')
  const [busy, setBusy] = useState(false)
  useEffect(() => dialog.current!.showModal(), [])
  const act = (event: Event) => {
    event.preventDefault()
    setBusy(true)
    p.act().then(() => {
      p.done()
      dialog.current?.close()
    }).catch((e: Error) => {
      setFailure(e.message)
      setBusy(false)
    })
  }
  return (
    <dialog ref={dialog} class="confirm" onClose={p.close} aria-label={p.title}>
      <form class="text stack" onSubmit={act}>
        <h2>{p.title}</h2>
        <p>{p.text}</p>
        {p.children}
        {failure && <p class="error" role="alert">{failure}</p>}
        <div class="row">
          <button type="submit" class="first" disabled={busy}>{p.title}</button>
          <button type="button" autofocus onClick={() => dialog.current!.close()}>{t('cancel')}</button>
        </div>
      </form>
    </dialog>
  )
}
