/** `notify` and `heartbeat`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { usualNotices } from '../../src/model/notice/notice.ts';
import { complaints, load, minimal } from './harness.ts';

const withNotify = (notify: string) => `${minimal}\nnotify: ${notify}`;

test('without them nobody is told', async () => {
  expect(await load(minimal)).toMatchObject({ notify: [], heartbeat: null });
});

test('what is usual; a token from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'notify-'));
  try {
    await writeFile(join(folder, 'token'), 'tk_1\n');
    const { notify } = await load(
      withNotify(
        `[{ url: "https://ntfy.sh/x", format: ntfy, on: [crashed, crashed], token_file: ${folder}/token }, { url: "http://h/" }]`,
      ),
    );
    expect(notify).toEqual([
      { url: 'https://ntfy.sh/x', format: 'ntfy', on: ['crashed'], token: 'tk_1' },
      { url: 'http://h/', format: 'json', on: [...usualNotices], token: null },
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a heartbeat, also from the environment', async () => {
  const { heartbeat } = await load(minimal, {
    DSM2MQTT_HEARTBEAT__URL: 'https://h/x',
    DSM2MQTT_HEARTBEAT__INTERVAL: '5m',
  });
  expect(heartbeat).toEqual({ url: 'https://h/x', interval: 300_000 });
  expect((await load(`${minimal}\nheartbeat: { url: "https://h/x" }`)).heartbeat?.interval).toBe(60_000);
});

test.each([
  [withNotify('[{ url: nowhere }]'), 'notify[0].url: expected a URL'],
  [withNotify('[{ url: "ftp://h/x" }]'), 'notify[0].url: expected a URL that begins with http:// or https://'],
  [withNotify('[{ url: "https://me:pw@h/x" }]'), 'notify[0].url: must not contain a user or password'],
  [withNotify('[{ format: json }]'), 'notify[0].url: '],
  [withNotify('[{ url: "https://h", on: [crash] }]'), 'notify[0].on[0]: '],
  [withNotify('[{ url: "https://h", token: a, token_file: /b }]'), 'token and token_file are both given'],
  [`${minimal}\nheartbeat: { url: "https://h", interval: 1s }`, 'heartbeat.interval: must be between 10s and 24h'],
])('%s: %s', async (yaml, words) => {
  expect((await complaints(yaml)).join('\n')).toContain(words);
});
