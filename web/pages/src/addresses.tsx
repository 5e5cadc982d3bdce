import { useState } from 'preact/hooks'
import { Copy } from './copy'
import { moment, t } from './i18n'
import type { Addresses as Answer, Operations } from './operations'
import { partsOf } from './signedurl'
import { instant, Until } from './until'

/** The address generator: push and play URLs of any live code, and what they are made of. */
export function Addresses(p: { operations: Operations }) {
  const [code, setCode] = useState('')
  const [until, setUntil] = useState('')
  const [answer, setAnswer] = useState<Answer>()
  const [failure, setFailure] = useState('')
  const sign = (event: Event) => {
    event.preventDefault()
    p.operations.sign({ code: code.trim(), expires_at: instant(until) }).then(a => {
      setAnswer(a)
      setFailure('')
    }).catch((e: Error) => {
      setAnswer(undefined)
      setFailure(e.message)
    })
  }
  return (
    <div class="stack">
      <form class="card stack" onSubmit={sign}>
        <label>{t('live code')}
          <input required maxLength={128} pattern="[A-Za-z0-9_\-]+" placeholder="8888_alice" value={code} autocomplete="off" spellcheck={false} onInput={e => setCode(e.currentTarget.value)} />
        </label>
        <Until label={t('expiry')} never="by default" value={until} change={setUntil} />
        <div><button type="submit" class="first">{t('generate')}</button></div>
        {failure && <p class="error" role="alert">{failure}</p>}
      </form>
      {answer && <Push push={answer.push} />}
      {answer && (
        <section class="card stack" aria-label={t('play')}>
          <h2>{t('play')}</h2>
          <p class="quiet">{t('valid until', { at: moment(answer.play_expires_at) })}</p>
          {Object.entries(answer.play).map(([protocol, url]) => <Address key={protocol} protocol={protocol} url={url} />)}
        </section>
      )}
    </div>
  )
}

function Push(p: { push: Answer['push'] }) {
  const { expires_at, server, key, ...urls } = p.push
  return (
    <section class="card stack" aria-label={t('push')}>
      <h2>{t('push')}</h2>
      <p class="quiet">{t('valid until', { at: moment(expires_at) })}</p>
      {Object.entries(urls).map(([protocol, url]) => url && <Address key={protocol} protocol={protocol} url={url} />)}
      {server && <Copy label={`OBS: ${t('server')}`} text={server} />}
      {key && <Copy label={`OBS: ${t('stream key')}`} text={key} />}
    </section>
  )
}

function Address(p: { protocol: string, url: string }) {
  const label = p.protocol.toUpperCase()
  return (
    <div class="stack tight">
      <Copy label={label} text={p.url} />
      <details>
        <summary>{t('parts', { of: label })}</summary>
        <div class="scroll">
          <table>
            <thead><tr><th scope="col">{t('parameter')}</th><th scope="col">{t('value')}</th><th scope="col">{t('meaning')}</th></tr></thead>
            <tbody>
              {partsOf(p.url).map(part => (
                <tr>
                  <td>{part.place ? <span class="quiet">{t(part.place)}</span> : <span class="mono term">{part.name}</span>}</td>
                  <td class="mono">{part.value}</td>
                  <td>{t(part.meaning)}{part.at !== undefined && <><br /><strong>{moment(part.at)}</strong></>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  )
}
