import qrcode from 'qrcode-generator'
import { useMemo } from 'preact/hooks'

const margin = 4 // modules, as the standard requires

/** A text as a QR code. */
export function QRCode(p: { text: string, label: string }) {
  const { size, path } = useMemo(() => qrPath(p.text), [p.text])
  return (
    <svg class="qr" role="img" aria-label={p.label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}

/** The dark modules as an SVG path, in a square of `size` modules. */
function qrPath(text: string): { size: number, path: string } {
  const code = qrcode(0, 'M')
  code.addData(text)
  code.make()
  const n = code.getModuleCount()
  let path = ''
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) if (code.isDark(y, x)) path += `M${x + margin} ${y + margin}h1v1h-1z`
  return { size: n + 2 * margin, path }
}
