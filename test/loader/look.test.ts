/** What a DSM that does not come up has to do with its loader. */
import { expect, test } from 'vitest';
import { listedDsms, loaderTrouble } from '../../src/loader/look.ts';
import { unknownDsm } from '../../src/model/check.ts';
import { homeOf } from './kinds/tcrp/releases.ts';

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
