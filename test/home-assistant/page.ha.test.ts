/**
 * The page as people use it: Debian's Chromium, the real guest, and a stand-in of Home Assistant's ingress.
 * VITEST_SCREENSHOTS=FOLDER keeps pictures.
 */
import { execFileSync } from 'node:child_process';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundlePage } from '../../scripts/build.ts';
import { type Json, type Stage, setStage, startBridge, usual, vmTopic } from '../e2e/bridge.ts';
import { startBrowser } from '../lab/browser.ts';
import { guest, inLab, poll } from '../lab/lab.ts';
import { freePort } from '../lab/processes.ts';

const pictures = process.env['VITEST_SCREENSHOTS'];
const supervisor = '172.30.32.2';
const prefix = '/api/hassio_ingress/w0rd';

let stage: Stage;
let browser: Browser;
let ingress: Server;
let settings: Record<string, unknown>;
let port: number;

beforeAll(async () => {
  await bundlePage('dist/web');
  port = await freePort();
  for (const address of ['172.30.32.1', supervisor])
    execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
  settings = {
    web: { listen: `172.30.32.1:${port}`, ingress: true },
    vms: [
      {
        domain: 'DSM',
        commands: ['start', 'shutdown', 'cancel', 'force_off', 'screenshot', 'check', 'refresh'],
        shutdown: { timeout: '1m' },
        checks: { schedule: '*/2 * * * * *' },
      },
    ],
  };
  stage = await setStage(settings);
  await stage.listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  ingress = await startIngress(port);
  browser = await startBrowser();
}, 600_000);

/** Whatever the test before it left behind. */
beforeEach(() => guest.start());

afterAll(async () => {
  await browser?.close();
  ingress?.closeAllConnections();
  ingress?.close();
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

/** As the Supervisor does it: without the prefix, from its own address, with the user's name. */
async function startIngress(to: number): Promise<Server> {
  const server = createServer((asked, answer) => {
    const path = asked.url?.slice(prefix.length) || '/';
    const headers = { ...asked.headers, 'x-ingress-path': prefix, 'x-remote-user-name': 'anna' };
    const options = { host: '172.30.32.1', port: to, localAddress: supervisor, path, method: asked.method, headers };
    const onward = request(options as object, got => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      pipeline(got, answer, () => {});
    });
    onward.on('error', () => answer.writeHead(502).end());
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const desktop = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 360, height: 800 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const windows: [string, BrowserContextOptions][] = [
  ['desktop-light', { ...desktop, colorScheme: 'light' }],
  ['desktop-dark', { ...desktop, colorScheme: 'dark' }],
  ['phone-light', { ...phone, colorScheme: 'light' }],
  ['phone-dark', { ...phone, colorScheme: 'dark' }],
];

interface Opened {
  page: Page;
  /** What the browser complains of, and requests to anywhere else. */
  complaints: string[];
}

async function openPage(options: BrowserContextOptions = desktop): Promise<Opened> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  const { port: at } = ingress.address() as { port: number };
  const own = `http://127.0.0.1:${at}${prefix}/`;
  page.on(
    'request',
    asked => !/^(data|blob):/.test(asked.url()) && !asked.url().startsWith(own) && complaints.push(asked.url()),
  );
  await page.goto(own);
  await page.getByText('DSM answers at').waitFor();
  return { page, complaints };
}

test.each(windows)('%s: all of it, whole, and accessible', async (name, options) => {
  const { page, complaints } = await openPage(options);
  await using _ = { [Symbol.asyncDispose]: () => page.context().close() };
  await page.getByText('You are').waitFor();
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('DSM');
  await page.locator('canvas').first().waitFor();
  // A phone that is turned, and turned back.
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  for (const turned of [width + 400, width]) await page.setViewportSize({ width: turned, height });
  const { overflow, violations }: Json = await page.evaluate(`${axe.source};
    (async () => ({
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      violations: (await axe.run()).violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')),
    }))()`);
  if (pictures)
    await page.screenshot({ path: join(pictures, `page-${name}.png`), fullPage: true, animations: 'disabled' });
  expect({ overflow, violations, complaints }).toEqual({ overflow: 0, violations: [], complaints: [] });
});

describe('one page, whose console waits for each boot', () => {
  let opened: Opened;
  /** How many boots have come to their end on its console. */
  let boots = 0;

  beforeAll(async () => {
    opened = await openPage();
    await opened.page.getByText('Serial console', { exact: true }).click();
    await opened.page.getByText('Waiting for lines').waitFor();
  });

  afterAll(() => opened?.page.context().close());

  async function hasBooted(): Promise<void> {
    const log = opened.page.getByRole('log', { name: 'Serial console' });
    const ends = async () => ((await log.textContent()) ?? '').split('dsm-lab: up').length - 1;
    boots = await poll(async () => (await ends()) > boots && (await ends()), { what: 'the boot on the console' });
  }

  test('a shutdown: asked, counted down, cancelled; then carried out, and in the timeline with the user’s name', async () => {
    const { page, complaints } = opened;
    await guest.deaf();
    const press = async () => {
      await page.getByRole('button', { name: 'Shut down' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Shut down' }).click();
    };
    const from = stage.listener.now;
    await press();
    await page.getByText('Shutting down').first().waitFor();
    const timer = page.getByRole('timer');
    const first = await timer.textContent();
    await poll(async () => (await timer.textContent()) !== first, { what: 'the countdown to move' });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await stage.listener.document(vmTopic('response'), ({ code }) => code === 'cancelled', { from });
    await timer.waitFor({ state: 'detached' });
    await guest.deaf(false);
    // A guest that listens may be off before a page, which hears once a second, sees it going.
    await press();
    const state = await stage.listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
    expect(state.last_stop.by).toBe('anna');
    await page.locator('.events').getByText('anna').first().waitFor();
    await page.getByRole('button', { name: 'Start' }).click();
    await stage.listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up', { from: stage.listener.now });
    await page.getByText('DSM answers at').waitFor();
    await hasBooted();
    expect(complaints).toEqual([]);
  });

  test('a power cut is done only when the VM’s key is typed', async () => {
    const { page } = opened;
    await page.getByText('More', { exact: true }).click();
    await page.getByRole('button', { name: 'Cut power' }).click();
    const dialog = page.getByRole('dialog');
    const cut = dialog.getByRole('button', { name: 'Cut power' });
    await dialog.getByRole('textbox').fill('dsm');
    expect(await cut.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('DSM');
    const from = stage.listener.now;
    await cut.click();
    await stage.listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
    await guest.start();
    await page.getByText('DSM answers at').waitFor();
    await hasBooted();
  });
});

test('the screen is looked at, and only while it is shown', async () => {
  const { page } = await openPage();
  await using _ = { [Symbol.asyncDispose]: () => page.context().close() };
  const asked: string[] = [];
  page.on('request', each => each.url().includes('api/screen') && asked.push(each.url()));
  await page.getByText('Screen', { exact: true }).click();
  await page.locator('img[src^="blob:"]').waitFor();
  await poll(async () => asked.length > 1, { what: 'a second picture' });
  if (pictures) await page.screenshot({ path: join(pictures, 'page-screen.png') });
});

test('the bridge restarts, the broker dies: the page says so, and comes back by itself', async () => {
  const { page } = await openPage();
  await using _ = { [Symbol.asyncDispose]: () => page.context().close() };
  await stage.bridge[Symbol.asyncDispose]();
  await page.getByText('What is shown is old').waitFor();
  stage.bridge = await startBridge(usual(stage.broker.url, settings));
  await page.getByText('What is shown is old').waitFor({ state: 'detached' });
  await page.getByText('DSM answers at').waitFor();
  await stage.broker.kill();
  await page.getByText('The broker is away').waitFor();
  await stage.broker.start();
  await page.getByText('The broker is away').waitFor({ state: 'detached' });
});
