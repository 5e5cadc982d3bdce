import { useEffect, useState } from 'preact/hooks'
import { t } from './i18n'
import { LineChart } from './linechart'
import type { Samples } from './samples'

/** What the console has seen since it was opened. */
export function Charts(p: { samples: Samples }) {
  const [all, setAll] = useState(p.samples.all)
  useEffect(() => p.samples.onChange(() => setAll(p.samples.all)), [p.samples])
  const at = all.map(s => s.at)
  return (
    <div class="stack">
      <p class="quiet">{t('charts say')}{p.samples.partial && ` ${t('counted in part')}`}</p>
      {at.length > 0 && (
        <>
          <LineChart title={t('streams by state')} at={at} lines={[
            { name: t('sessions live'), tone: 'live', values: all.map(s => s.live) },
            { name: t('sessions away'), tone: 'warn', values: all.map(s => s.away) },
            { name: t('sessions starting'), tone: 'link', values: all.map(s => s.starting) },
          ]} />
          <LineChart title={t('viewers in total')} at={at} lines={[{ name: t('watching'), tone: 'good', values: all.map(s => s.viewers) }]} />
          <LineChart title={t('answer time')} at={at} lines={[{ name: t('milliseconds'), tone: 'link', values: all.map(s => s.answer) }]} />
        </>
      )}
    </div>
  )
}
