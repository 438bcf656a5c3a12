/** What a DSM that does not come up has to do with its loader. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tcrp } from '../../src/loader/kinds/tcrp/index.ts';
import { listedDsms, loaderTrouble, lookAtImage } from '../../src/loader/look.ts';
import { unknownDsm } from '../../src/model/check.ts';
import { homeOf } from './kinds/tcrp/releases.ts';
import { boot, rebuildWorld, world } from './rebuild-world.ts';

const found = {
  name: 'RR',
  version: '26.7.4',
  model: 'DS918+',
  dsm: '7.2.2-72806',
  newest: null,
  built: true,
  rebuilt: true,
};
const dsm = (version: string | null) => ({ ...unknownDsm, version });

test.each([
  ['it is up', { verdict: 'up', problem: false, dsm: dsm('7.2.2-72806') }, {}, null],
  [
    'the loader is passing, and builds itself',
    { verdict: 'loader', problem: false, dsm: dsm(null) },
    { built: false },
    null,
  ],
  ['the loader stays, with nothing to build', { verdict: 'loader', problem: true, dsm: dsm(null) }, {}, null],
  [
    'the loader stays, and could not build itself',
    { verdict: 'loader', problem: true, dsm: dsm(null) },
    { built: false },
    'not_patched',
  ],
  ['a recovery of the same DSM', { verdict: 'recoverable', problem: true, dsm: dsm('7.2.2-72806') }, {}, null],
  [
    'a recovery of another DSM',
    { verdict: 'recoverable', problem: true, dsm: dsm('7.3.2-86009') },
    {},
    'loader_outdated',
  ],
  ['a recovery of nobody knows what', { verdict: 'recoverable', problem: true, dsm: dsm(null) }, {}, null],
  [
    'a loader that does not say its build',
    { verdict: 'recoverable', problem: true, dsm: dsm('7.3.2-86009') },
    { dsm: '7.2' },
    null,
  ],
] as const)('%s', (_, check, change, code) => {
  const trouble = loaderTrouble(check, { ...found, ...change });
  expect(trouble?.code ?? null).toBe(code);
  if (trouble)
    expect([trouble.error, trouble.nextStep]).toEqual([expect.stringMatching(/^DSM.*\.$/), 'Rebuild the loader.']);
});

test('one that the bridge cannot rebuild is built in its own menu', () => {
  const check = { verdict: 'loader', problem: true, dsm: dsm(null) } as const;
  expect(loaderTrouble(check, { ...found, name: 'Arc', built: false, rebuilt: false })?.nextStep).toBe(
    'Build the loader in the menu of Arc.',
  );
});

test('what TinyCore RedPill lists for a model, by its own files, the newest last', () => {
  expect(listedDsms(homeOf('0.10.0.0'), 'DS918+')?.at(-1)).toBe('7.2.0-64570');
  expect(listedDsms(homeOf('0.9.2.9'), 'DS918+')?.at(-1)).toBe('7.1.1-42962');
  expect(listedDsms(new Map(), 'DS918+')).toBeNull();
});

test('what the image says of serial number and MACs is handed over, and is no part of what is shown', async () => {
  await using it = await rebuildWorld();
  const files = new Map([['boot/grub/grub.cfg', Buffer.from('linux /zImage sn=2040PDN012345 mac1=001132AABBCC')]]);
  const identities: (readonly string[])[] = [];
  const settings = { image: { way: 'path', path: it.image }, kind: 'auto', model: 'DS918+' } as const;
  const options = {
    ...{ settings, adapters: () => tcrp, disk: null, client: it.client, ref: it.domain.ref },
    ...{ scratch: join(it.folder, 'scratch'), backups: Promise.resolve(null), signal: AbortSignal.timeout(60_000) },
    ...{ world: { ...world, menu: async () => ({ boot, files }) } },
  };
  const shown = await lookAtImage(options, words => identities.push(words));
  expect(identities).toEqual([['2040PDN012345', '001132AABBCC']]);
  expect(JSON.stringify(shown)).not.toMatch(/2040PDN|AABBCC/);
});
