/** Debian's Chromium, without a screen, logged in to the lab's Home Assistant. */
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { HomeAssistant } from './home-assistant.ts';

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

/** A window of its own; rejected errors of the frontend are the caller's to look at. */
export async function openFrontend(
  browser: Browser,
  hass: HomeAssistant,
  path: string,
  options: BrowserContextOptions,
): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(60_000);
  const tokens = JSON.stringify(hass.frontendTokens());
  // Runs in the page.
  await context.addInitScript(`localStorage.setItem('hassTokens', ${JSON.stringify(tokens)})`);
  const page = await context.newPage();
  await page.goto(new URL(path, hass.url).href);
  return page;
}
