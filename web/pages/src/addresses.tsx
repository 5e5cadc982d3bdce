import { useState } from 'preact/hooks'
import type { AdminClient, SignedURLs } from './adminclient'
import { CopyField } from './copyfield'
import { DateTimeField, toUnixMs } from './datetimefield'
import { dateTime } from './format'
import { t } from './i18n'
import { urlParts } from './signedurl'

/** The console's section that signs push and play URLs of any live code, and explains their parts. */
export function Addresses(p: { admin: AdminClient }) {
  const [code, setCode] = useState('')
  const [until, setUntil] = useState('')
  const [signed, setSigned] = useState<SignedURLs>()
  const [error, setError] = useState('')
  const sign = (event: Event) => {
    event.preventDefault()
    p.admin.signURLs({ code: code.trim(), expires_at: toUnixMs(until) }).then(urls => {
      setSigned(urls)
      setError('')
    }).catch((e: Error) => {
      setSigned(undefined)
      setError(e.message)
    })
  }
  return (
    <div class="stack">
      <form class="card stack" onSubmit={sign}>
        <label>{t('live code')}
          <input required maxLength={128} pattern="[A-Za-z0-9_\-]+" placeholder="8888_alice" value={code} autocomplete="off" spellcheck={false} onInput={e => setCode(e.currentTarget.value)} />
        </label>
        <DateTimeField label={t('expiry')} emptyLabel="default validity" value={until} onChange={setUntil} />
        <div><button type="submit" class="first">{t('generate')}</button></div>
        {error && <p class="error" role="alert">{error}</p>}
      </form>
      {signed && <Push push={signed.push} />}
      {signed && (
        <section class="card stack" aria-label={t('play')}>
          <h2>{t('play')}</h2>
          <p class="quiet">{t('valid until', { time: dateTime(signed.play_expires_at) })}</p>
          {Object.entries(signed.play).map(([protocol, url]) => <Address key={protocol} protocol={protocol} url={url} />)}
        </section>
      )}
    </div>
  )
}

function Push(p: { push: SignedURLs['push'] }) {
  const { expires_at, server, key, ...urls } = p.push
  return (
    <section class="card stack" aria-label={t('push')}>
      <h2>{t('push')}</h2>
      <p class="quiet">{t('valid until', { time: dateTime(expires_at) })}</p>
      {Object.entries(urls).map(([protocol, url]) => url && <Address key={protocol} protocol={protocol} url={url} />)}
      {server && <CopyField label={`OBS: ${t('server')}`} text={server} />}
      {key && <CopyField label={`OBS: ${t('stream key')}`} text={key} />}
    </section>
  )
}

function Address(p: { protocol: string, url: string }) {
  const label = p.protocol.toUpperCase()
  return (
    <div class="stack tight">
      <CopyField label={label} text={p.url} />
      <details>
        <summary>{t('url parts', { protocol: label })}</summary>
        <div class="scroll">
          <table>
            <thead><tr><th scope="col">{t('parameter')}</th><th scope="col">{t('value')}</th><th scope="col">{t('meaning')}</th></tr></thead>
            <tbody>
              {urlParts(p.url).map(part => (
                <tr>
                  <td>{part.label ? <span class="quiet">{t(part.label)}</span> : <span class="mono term">{part.name}</span>}</td>
                  <td class="mono">{part.value}</td>
                  <td>{t(part.meaning)}{part.time !== undefined && <><br /><strong>{dateTime(part.time)}</strong></>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  )
}
