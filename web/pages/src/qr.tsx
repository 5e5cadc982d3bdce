import qrcode from 'qrcode-generator'
import { useMemo } from 'preact/hooks'

/** A text as a QR code, for phones that push. */
export function QR(p: { text: string, label: string }) {
  const path = useMemo(() => {
    const code = qrcode(0, 'M')
    code.addData(p.text)
    code.make()
    const n = code.getModuleCount()
    let d = ''
    for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) if (code.isDark(y, x)) d += `M${x + 4} ${y + 4}h1v1h-1z`
    return { n: n + 8, d }
  }, [p.text])
  return (
    <svg class="qr" role="img" aria-label={p.label} viewBox={`0 0 ${path.n} ${path.n}`} shape-rendering="crispEdges">
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path.d} fill="#000" />
    </svg>
  )
}
