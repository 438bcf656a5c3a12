/** The page of the built bridge while things go wrong: Debian's Chromium, the real guest, and two hundred others. */
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, bundlePage } from '../../scripts/build.ts';
import { type BridgeProcess, Listener, startBridge, usual, vmTopic } from '../e2e/bridge.ts';
import { startBrowser } from '../lab/browser.ts';
import { address, guest, inLab, libvirtd, type Mosquitto, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { freePort } from '../lab/processes.ts';

const MiB = 2 ** 20;
const hour = 3_600_000;
/** Loaded before the bridge: at each SIGUSR2 its clock is three hours ahead, three hours behind, right. */
const clock = `
  const Real = Date, steps = [0, 3, -3];
  let step = 0;
  const now = () => Real.now() + steps[step] * ${hour};
  globalThis.Date = class extends Real {
    constructor(...parts) { if (parts.length === 0) super(now()); else super(...parts); }
    static now() { return now(); }
  };
  process.on('SIGUSR2', () => { step = (step + 1) % steps.length; });`;

const stack = new AsyncDisposableStack();
let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;
let page: Page;
let port: number;
/** What the browser complains of. */
const complaints: string[] = [];

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in scripts/lab --release forky --with home-assistant');
  await guest.start();
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-built-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await bundle(join(folder, 'dist'), { 'cli/index': 'src/cli/index.ts' });
  await bundlePage(join(folder, 'dist/web'));
  await copyFile('package.json', join(folder, 'package.json'));
  broker = stack.use(await startMosquitto());
  listener = stack.use(await Listener.on(broker.url));
  port = await freePort();
  const checks = { schedule: '*/2 * * * * *' };
  const commands = ['start', 'shutdown', 'cancel', 'check'];
  const vms = [{ domain: 'DSM', commands, shutdown: { timeout: '50s' }, checks }];
  const more = { web: { listen: `127.0.0.1:${port}` }, log: { level: 'info' }, vms };
  const node = [process.execPath, '--import', `data:text/javascript,${encodeURIComponent(clock)}`];
  bridge = stack.use(await startBridge(usual(broker.url, more), [...node, join(folder, 'dist/cli/index.js')]));
  await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  const browser = await startBrowser();
  stack.defer(() => browser.close());
  page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.getByText('DSM answers at').waitFor();
}, 600_000);

// The guest runs on: the next file needs it, too.
afterAll(() => stack.disposeAsync());

test('libvirtd hangs: the page says so, and is itself again when libvirtd goes on', async () => {
  const away = page.getByText('libvirt is away, so what is shown may be old');
  libvirtd.freeze();
  try {
    await away.waitFor();
  } finally {
    libvirtd.thaw();
  }
  await away.waitFor({ state: 'detached' });
  await page.getByText('DSM answers at').waitFor();
});

test('the bridge’s clock is set, there and back: times, and a countdown, stay what they are', async () => {
  const timer = page.getByRole('timer');
  const left = async () => Number(/^(\d+) s$/.exec((await timer.textContent()) ?? '')?.[1] ?? Number.NaN);
  const ask = async () => {
    await listener.publish(vmTopic('command'), 'shutdown');
    await expect.poll(left).toBeGreaterThan(30);
  };
  await guest.deaf();
  await ask();
  for (const notice of ['is 3 h behind', 'is 3 h ahead of', null]) {
    process.kill(bridge.pid ?? 0, 'SIGUSR2');
    const clocks = page.getByText(`This device's clock ${notice ?? ''}`);
    await clocks.waitFor({ state: notice === null ? 'detached' : 'visible' });
    // That of the shutdown which goes on, and of one that begins now.
    expect(await left()).toBeLessThanOrEqual(50);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await timer.waitFor({ state: 'detached' });
    await ask();
    expect(await left()).toBeLessThanOrEqual(50);
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|Invalid|undefined|-\d+ (s|min|h)/);
  }
  await page.getByRole('button', { name: 'Cancel' }).click();
  await timer.waitFor({ state: 'detached' });
  await guest.deaf(false);
});

test('this device’s clock is set: the page says so, and goes by the bridge’s', async () => {
  const since = page.getByText(/^since .* for /);
  const before = await since.textContent();
  await page.evaluate('const real = Date.now; Date.now = () => real() + 10_800_000');
  await page.getByText("This device's clock is 3 h ahead of the bridge's").waitFor();
  expect((await since.textContent())?.slice(0, 11)).toBe(before?.slice(0, 11));
  await page.reload();
  await page.getByText('DSM answers at').waitFor();
});

/** Bytes. */
async function resident(): Promise<number> {
  return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${bridge.pid}/status`, 'utf8'))?.[1]) * 1_024;
}

/** Another page, without its looks. */
function tab() {
  const end = new AbortController();
  const heard = { text: '', [Symbol.dispose]: () => end.abort() };
  get(`http://127.0.0.1:${port}/api/live`, { signal: end.signal }, answer => {
    answer.setEncoding('utf8').on('data', (text: string) => {
      heard.text += text;
    });
    answer.on('error', () => {});
  }).on('error', () => {});
  return heard;
}

/** One that asks, and reads nothing until `read`, which resolves at the end of what there is. */
function unread() {
  const socket = connect(port, '127.0.0.1')
    .on('error', () => {})
    .pause();
  const closed = once(socket, 'close');
  socket.write('GET /api/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  return { read: () => socket.resume() && closed };
}

/** What the server says to these bytes until it closes. `stay`: this end stays open, as if there were more to come. */
function send(bytes: Buffer, stay = false): Promise<string> {
  return new Promise(resolve => {
    let said = '';
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    socket.on('data', (text: string) => {
      said += text;
    });
    socket.on('error', () => {}).on('close', () => resolve(said));
    if (stay) socket.write(bytes);
    else socket.end(bytes);
  });
}

/** The page is as quick as ever. */
async function usable(): Promise<void> {
  const answered = page.waitForResponse(answer => answer.url().includes('api/command'));
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('button', { name: 'Check now' }).click();
  await (await answered).finished();
  await page.locator('.answers .succeeded:first-child').waitFor();
  await page.getByText('More', { exact: true }).click();
}

test('two hundred tabs hear the same, and the page stays usable', async () => {
  const before = await resident();
  using tabs = new DisposableStack();
  const all = Array.from({ length: 200 }, () => tabs.use(tab()));
  const heard = (text: string) => poll(() => all.every(each => each.text.includes(text)), { what: text });
  await heard('{"user":null}');
  await virsh('suspend', address.domain);
  await heard('"state":"paused"');
  await virsh('resume', address.domain);
  await heard('"event_type":"resumed"');
  await usable();
  expect((await resident()) - before).toBeLessThan(64 * MiB);
});

test('who does not read is dropped, and what he has not read is not kept', async () => {
  // Else the system keeps megabytes of each connection.
  const limits = ['tcp_wmem', 'tcp_rmem'].map(name => `/proc/sys/net/ipv4/${name}`);
  const usualLimits = await Promise.all(limits.map(path => readFile(path, 'utf8')));
  await Promise.all(limits.map(path => writeFile(path, '4096 16384 32768')));
  await using _ = {
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all(limits.map((path, i) => writeFile(path, usualLimits[i] ?? '')))),
  };
  const deaf = Array.from({ length: 20 }, unread);
  using reader = tab();
  await poll(() => reader.text.includes('{"user":'), { what: 'the page that reads' });
  const before = await resident();
  const events = () => reader.text.split('command_rejected').length - 1;
  // More than the megabyte that one may have unread.
  for (let sent = 0; sent < 4_000; sent += 500) {
    const ids = Array.from({ length: 500 }, (_, i) => String(sent + i).padStart(128, '0'));
    await Promise.all(ids.map(id => listener.publish(vmTopic('command'), JSON.stringify({ command: 'sing', id }))));
    await poll(() => events() >= sent + 500, { what: 'what was rejected' });
  }
  expect((await resident()) - before).toBeLessThan(40 * MiB);
  expect(reader.text.length).toBeGreaterThan(1.2 * MiB);
  // Its own stream would go on for ever.
  await Promise.all(deaf.map(({ read }) => read()));
  await usable();
});

const host = 'host: 127.0.0.1\r\n';
const malformed = [
  `BREW /app.js HTTP/1.1\r\n${host}\r\n`,
  `DELETE /app.js HTTP/1.1\r\n${host}\r\n`,
  `GET /../../../../etc/passwd HTTP/1.1\r\n${host}\r\n`,
  `GET /..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n${host}\r\n`,
  `GET /..\\..\\\xc0\xae\xc0\xae/etc/passwd HTTP/1.1\r\n${host}\r\n`,
  `GET file:///etc/passwd HTTP/1.1\r\n${host}\r\n`,
  `GET /api/record?vm=../../../etc/passwd%00 HTTP/1.1\r\n${host}\r\n`,
  `GET /%00%ff?%%%=\xff HTTP/1.1\r\n${host}\r\n`,
  `POST /api/command?vm=DSM HTTP/1.1\r\n${host}x-dsm2mqtt: page\r\ncontent-length: 7\r\n\r\n{"comma`,
  `POST /api/command?vm=DSM HTTP/1.1\r\n${host}content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /`,
  `POST /api/login HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nZZ\r\n`,
  `GET / HTTP/1.1\r\n${host}x: ${'x'.repeat(100_000)}\r\n\r\n`,
  `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n${host}\r\n`,
  `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(5_000)}\r\n`,
  `POST /api/command?vm=DSM HTTP/1.1\r\n${host}content-length: 100\r\n\r\n{`,
  'GET /api/li',
  'GET / HTTP/9.9\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  '\0\0\0\0\r\n\r\n',
  '{"command":"start"}\r\n\r\n',
].map(text => Buffer.from(text, 'latin1'));

test('ten thousand malformed requests: no file, no line in the log, no memory, and the page goes on', async () => {
  // As many that never come to their end hold no place for long.
  const halves = Array.from({ length: 150 }, () => send(Buffer.from('GET /api/live HTTP/1.1\r\nhost'), true));
  const [lines, before] = [bridge.log.length, await resident()];
  const answers = new Map<string, number>();
  for (let round = 0; round < 100; round++) {
    const requests = Array.from({ length: 100 }, (_, i) => send(malformed[i % malformed.length] as Buffer));
    for (const said of await Promise.all(requests)) {
      expect(said).not.toMatch(/root:|"name":/);
      const status = said.slice(9, 12);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  }
  await Promise.all(halves);
  // Each has an answer; 200 is that of a command which is no JSON, and is rejected.
  expect(Object.fromEntries(answers)).toEqual({ 200: 500, 400: 5_500, 404: 2_000, 405: 500, 431: 1_500 });
  expect(bridge.log.length - lines).toBeLessThan(10);
  expect((await resident()) - before).toBeLessThan(32 * MiB);
  await usable();
  expect(complaints).toEqual([]);
});
