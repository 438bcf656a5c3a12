/**
 * docs/dashboard.yaml, and the dashboard that makes itself, in the real frontend, with the real guest's values.
 * VITEST_SCREENSHOTS=FOLDER keeps pictures of the last quarter of an hour, which it waits for.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { openFrontend, startBrowser } from '../lab/browser.ts';
import { guest, inLab } from '../lab/lab.ts';
import { enableAll, type HomeStage, setHomeStage } from './stage.ts';

const pictures = process.env['VITEST_SCREENSHOTS'];
const strategy = new URL('../../dsm2mqtt-dashboard.js', import.meta.url);
/** Of pictures, what they show is a quarter of an hour. */
const read = async (file: URL) => {
  const text = await readFile(file, 'utf8');
  return pictures ? text.replaceAll(/hours_to_show: (1|24)\b/g, 'hours_to_show: 0.25') : text;
};
const view = parse(await read(new URL('../../docs/dashboard.yaml', import.meta.url)));

let stage: HomeStage;
let browser: Browser;
/** Until then the guest has something to do. */
const resting = new AbortController();
let working: Promise<void> | undefined;

beforeAll(async () => {
  const settings = {
    vms: [
      {
        domain: 'DSM',
        commands: ['start', 'shutdown', 'check', 'rebuild'],
        loader: { model: 'DS918+', platform: 'ds918p-7.1.1-42962', transient_pool: true },
      },
    ],
  };
  stage = await setHomeStage(settings, { files: { 'www/dsm2mqtt-dashboard.js': strategy } });
  const { hass } = stage;
  await enableAll(hass);
  await hass.ask('lovelace/dashboards/create', { url_path: 'the-nas', title: 'NAS', icon: 'mdi:nas', mode: 'storage' });
  await hass.ask('lovelace/config/save', { url_path: 'the-nas', config: { views: [view] } });
  await hass.write('www/dsm2mqtt-dashboard.js', await read(strategy));
  const resource = { res_type: 'module', url: '/local/dsm2mqtt-dashboard.js' };
  await hass.ask('lovelace/resources/create', resource);
  await hass.ask('lovelace/dashboards/create', { url_path: 'its-own', title: 'Its own', mode: 'storage' });
  await hass.ask('lovelace/config/save', { url_path: 'its-own', config: { strategy: { type: 'custom:dsm2mqtt' } } });
  await hass.state('sensor.dsm_verdict', 'up');
  await hass.state('sensor.dsm_cpu', ({ state }) => Number(state) >= 0);
  working = work(resting.signal);
  browser = await startBrowser();
  if (pictures) await setTimeout(15 * 60_000);
}, 1_200_000);

afterAll(async () => {
  resting.abort();
  await working;
  await browser?.close();
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

/** Disks and network, more and less of it, as long as it runs. */
async function work(signal: AbortSignal): Promise<void> {
  const dd = (from: string, to: string, megabytes: number) =>
    guest.run(`dd if=${from} of=${to} bs=1M count=${Math.round(megabytes)} conv=fsync`);
  for (let round = 0; !signal.aborted; round++) {
    const wave = 1 + Math.sin(round / 4);
    try {
      await dd('/dev/zero', '/dev/sda', 10 + 25 * wave);
      await dd('/dev/sdb', '/dev/null', 5 + 40 * wave ** 2);
      await guest.run('head -c 4000000 /dev/zero');
      await guest.run(`# ${'x'.repeat(1_000_000 * wave)}`);
      await dd('/dev/urandom', '/dev/sdb', 4 + 8 * (round % 3));
      await dd('/dev/sda', '/dev/null', 15 * (round % 4));
    } catch {
      // It is off, or just shutting down.
      await setTimeout(500, undefined, { signal }).catch(() => {});
    }
  }
}

const desktop = { viewport: { width: 1600, height: 740 }, deviceScaleFactor: 1.5 };
const phone = { viewport: { width: 390, height: 1060 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const windows: [string, BrowserContextOptions][] = [
  ['desktop-light', { ...desktop, colorScheme: 'light' }],
  ['desktop-dark', { ...desktop, colorScheme: 'dark' }],
  ['phone-light', { ...phone, colorScheme: 'light' }],
  ['phone-dark', { ...phone, colorScheme: 'dark' }],
];

test.each(windows)('%s shows live values, whole', async (name, options) => {
  const page = await openFrontend(browser, stage.hass, '/the-nas/nas', options);
  await page.getByText('DSM answers at').waitFor();
  await page.locator('hui-trend-graph-card-feature svg path').first().waitFor({ state: 'attached' });
  const { texts, cut, errors } = await look(page);
  const shown = texts.join('\n');
  if (pictures) await page.screenshot({ path: join(pictures, `dashboard-${name}.png`), animations: 'disabled' });
  expect(errors).toEqual([]);
  expect(shown).not.toMatch(/unavailable|unknown|not found|error/i);
  for (const heading of ['DSM', 'At work', 'Loader']) expect(texts).toContain(heading);
  for (const text of ['On', 'Connected', 'Off']) expect(texts).toContain(text);
  expect(shown).toMatch(/\d\s?%/);
  expect(shown).toMatch(/\d\s?MiB/);
  expect(shown).toMatch(/\d\s?MB\/s/);
  expect(shown).toMatch(/\d\s?Mbit\/s/);
  expect(cut).toEqual([]);
  await page.context().close();
});

const narrow = { ...phone, viewport: { width: 360, height: 1_060 } };
const itsOwn: [string, BrowserContextOptions][] = [
  ['desktop-light', { ...desktop, colorScheme: 'light' }],
  ['desktop-dark', { ...desktop, colorScheme: 'dark' }],
  ['phone-light', { ...narrow, colorScheme: 'light' }],
  ['phone-dark', { ...narrow, colorScheme: 'dark' }],
];

test.each(itsOwn)('%s: the dashboard makes itself, with its history', async (name, options) => {
  const page = await openFrontend(browser, stage.hass, '/its-own', options);
  await page.getByText('DSM answers at').waitFor();
  await page.locator('state-history-chart-timeline canvas').first().waitFor();
  await page.locator('hui-trend-graph-card-feature svg path').first().waitFor({ state: 'attached' });
  const { texts, cut, errors } = await look(page);
  if (pictures) await page.screenshot({ path: join(pictures, `strategy-${name}.png`), animations: 'disabled' });
  expect(errors).toEqual([]);
  expect(texts.join('\n')).not.toMatch(/unavailable|not found|error/i);
  for (const heading of ['DSM', 'The last day', 'At work', 'Loader']) expect(texts).toContain(heading);
  for (const title of ['Power', 'Disk 1 read', 'Received']) expect(texts).toContain(title);
  expect(cut).toEqual([]);
  await page.context().close();
});

test('beside it is a view of the bridge; and a new dashboard can be made of it by its name', async () => {
  const { hass } = stage;
  const page = await openFrontend(browser, hass, '/its-own/bridge', { ...desktop, colorScheme: 'light' });
  await page.getByText('Libvirt connection').first().waitFor();
  expect((await look(page)).errors).toEqual([]);
  expect(await page.evaluate('customStrategies.map(({ type }) => type)')).toContain('dsm2mqtt');
  await page.context().close();
});

test('the rebuild shows itself when it is armed, and asks', async () => {
  const page = await openFrontend(browser, stage.hass, '/the-nas/nas', { ...desktop, colorScheme: 'light' });
  await page.getByText('Arm rebuild').waitFor();
  expect(await page.getByText('Rebuild loader').count()).toBe(0);
  await stage.hass.call('switch.turn_on', { entity_id: 'switch.dsm_arm' });
  await tile(page, 'Rebuild loader').click();
  await page.getByText('its loader is made anew').waitFor();
  await page.getByText('Cancel', { exact: true }).click();
  expect((await stage.hass.states()).get('sensor.dsm_loader_phase')?.state).toBe('idle');
  await page.context().close();
});

test('the switch asks before it shuts the NAS down', async () => {
  const page = await openFrontend(browser, stage.hass, '/the-nas/nas', { ...desktop, colorScheme: 'light' });
  await tile(page, 'Power').click();
  await page.getByText('Start the NAS, or shut it down?').waitFor();
  await page.getByText('OK', { exact: true }).click();
  await stage.hass.state('sensor.dsm_state', 'shut_off');
  await page.getByText('It is off.').waitFor();
  expect((await look(page)).texts).not.toContain('At work');
  if (pictures) await page.screenshot({ path: join(pictures, 'dashboard-off.png'), animations: 'disabled' });
  await page.context().close();
});

function tile(page: Page, name: string): Locator {
  return page.locator('hui-tile-card').filter({ hasText: name });
}

interface Look {
  texts: string[];
  /** What is longer than its place. */
  cut: string[];
  errors: string[];
}

/** Everything that can be read, through all shadow roots. */
function look(page: Page): Promise<Look> {
  return page.evaluate(`(() => {
    const texts = [], cut = [], errors = [];
    const visit = node => {
      if (node.nodeType === 3) {
        const text = node.textContent.trim();
        const box = node.parentElement;
        if (text && box && box.checkVisibility && box.checkVisibility() && !/^(STYLE|SCRIPT)$/.test(box.tagName)) texts.push(text);
        return;
      }
      if (node.nodeType === 1) {
        if (/^HUI-(ERROR|WARNING)/.test(node.tagName)) errors.push(node.tagName);
        const style = getComputedStyle(node);
        if (style.textOverflow === 'ellipsis' && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0) {
          cut.push(node.tagName + ' ' + (node.innerText ?? node.textContent).trim());
        }
        if (node.tagName === 'SLOT') { for (const child of node.assignedNodes()) visit(child); if (node.assignedNodes().length) return; }
        if (node.shadowRoot) { for (const child of node.shadowRoot.childNodes) visit(child); return; }
      }
      for (const child of node.childNodes) visit(child);
    };
    visit(document.body);
    return { texts, cut, errors };
  })()`) as Promise<Look>;
}
