import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { TestServer } from '../../sdk/test/testserver.js'

/** The folder of screenshots. In CI they are an artifact. */
const screenshots = process.env.SCREENSHOTS ?? join(tmpdir(), 'onair-pages')

/** A server, a browser, and pages in it. */
export class TestEnvironment {
  readonly server = new TestServer()
  /** Errors that pages have logged or thrown. */
  pageErrors: string[] = []

  #browser?: Browser

  startServer(...flags: string[]): Promise<void> {
    return this.server.start(
      '--heartbeat.interval', '2s', '--push.domain', '127.0.0.1',
      '--play.domain', '127.0.0.1', '--play.scheme', 'http', '--play.ports', 'rtmp=10101,flv=10101,hls=10101', // unused ports
      ...flags,
    )
  }

  /** Calls the server with a token, and expects success. */
  async callServer(method: string, path: string, token: string, body?: object): Promise<Response> {
    const response = await fetch(this.server.url + path, { method, headers: { Authorization: `Bearer ${token}` }, body: body && JSON.stringify(body) })
    expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true)
    return response
  }

  /** Opens a page in its own browser context. */
  async openPage(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    this.#browser ??= await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--autoplay-policy=no-user-gesture-required',
      ],
    })
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB', ...options })
    const page = await context.newPage()
    page.on('console', m => { if (m.type() === 'error' && !/net::ERR_|WebSocket connection|status of 404/.test(m.text())) this.pageErrors.push(m.text()) })
    page.on('pageerror', e => this.pageErrors.push(e.message))
    await page.goto(this.server.url + path)
    return page
  }

  /** Opens the studio with the token of an anchor. */
  openStudio(sub: string, options: BrowserContextOptions = {}): Promise<Page> {
    return this.#openWithToken('anchor', sub, '/studio', options)
  }

  /** Opens the console with the token of an operator. */
  openConsole(options: BrowserContextOptions = {}): Promise<Page> {
    return this.#openWithToken('admin', 'op', '/console', options)
  }

  async #openWithToken(role: string, sub: string, path: string, options: BrowserContextOptions): Promise<Page> {
    const page = await this.openPage(path, options)
    await page.fill('textarea', this.server.newToken(role, sub))
    await page.getByRole('button', { name: 'Use token' }).click()
    return page
  }

  /** Starts a broadcast in a studio. */
  async goLive(studio: Page, title: string, tags = ''): Promise<void> {
    await studio.getByLabel('Title').fill(title)
    await studio.getByLabel('Tags, separated by commas').fill(tags)
    await studio.getByRole('button', { name: 'Go live' }).click()
    await studio.waitForSelector('.broadcast.live')
  }

  async screenshot(page: Page, name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true })
    await page.screenshot({ path: join(screenshots, name + '.png'), fullPage: true })
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    await this.server.close()
  }
}
