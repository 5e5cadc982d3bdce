import { OnairError } from './errors.js'

export const tokenRefusedCode = 4001
export const tryAgainLaterCode = 1013

/** Whether a close code asks the client to connect again at once, to another node. */
export function isDrainCode(code: number): boolean { return code >= 4200 && code < 4300 }

/** The error of a close code after which the client does not reconnect; undefined if it does. */
export function fatalCloseError(code: number): OnairError | undefined {
  if (code === 4009) return new OnairError('taken_over', 'Another device has taken over the broadcast.')
  if ([1003, 1007, 1008, 1009].includes(code)) return new OnairError('bad_request', `The server rejected a message as invalid (close code ${code}).`)
  const isForbidden = code >= 4000 && code < 4100
  if (isForbidden || code === 1000) return new OnairError(isForbidden ? 'forbidden' : 'stopped', `The server closed the connection for good (close code ${code}).`)
  return undefined
}
