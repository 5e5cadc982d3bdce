import { join } from 'node:path'

/** The server's binary: from the environment variable ONAIR, else as `make build` leaves it. */
export const binary = process.env.ONAIR ?? join(import.meta.dirname, '../../../bin/onair')
