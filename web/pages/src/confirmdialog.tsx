import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from './i18n'

interface ConfirmDialogProps {
  title: string
  text: string
  action: () => Promise<unknown>
  onDone: () => void
  onClose: () => void
  children?: ComponentChildren
}

/** Confirms an action before it runs. If the action fails the dialog shows the error and stays open. */
export function ConfirmDialog(p: ConfirmDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [error, setError] = useState('')
  const [isBusy, setIsBusy] = useState(false)
  useEffect(() => dialog.current!.showModal(), [])
  const submit = (event: Event) => {
    event.preventDefault()
    setIsBusy(true)
    p.action().then(() => {
      p.onDone()
      dialog.current?.close()
    }).catch((e: Error) => {
      setError(e.message)
      setIsBusy(false)
    })
  }
  return (
    <dialog ref={dialog} class="confirm" onClose={p.onClose} aria-label={p.title}>
      <form class="text stack" onSubmit={submit}>
        <h2>{p.title}</h2>
        <p>{p.text}</p>
        {p.children}
        {error && <p class="error" role="alert">{error}</p>}
        <div class="row">
          <button type="submit" class="first" disabled={isBusy}>{p.title}</button>
          <button type="button" autofocus onClick={() => dialog.current!.close()}>{t('cancel')}</button>
        </div>
      </form>
    </dialog>
  )
}
