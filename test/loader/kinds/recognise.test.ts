/** Which loader an image has, what it was built for, and what is said of configurations that nobody can trust. */
import { describe, expect, test } from 'vitest';
import type { LoaderIdentity } from '../../../src/loader/kinds/identity.ts';
import { bootFiles, rebuildRefusals, recognise } from '../../../src/loader/kinds/recognise.ts';
import { imageOf, images } from './images.ts';

const none = { SataPortMap: '', DiskIdxMap: '' };
const yaml = { acpid: true, bootWait: null, why: null };
const menu = { acpid: null, bootWait: null, why: null };
const unread = { ...menu, why: 'The home of its image builder was not read.' };
const fresh = { model: null, dsm: null, built: false, serial: false, macs: 0, map: none, acpid: false };

const expected: Readonly<Record<string, LoaderIdentity>> = {
  'rr-26.7.4': {
    ...{ kind: 'rr', title: 'RR', version: '26.7.4', model: 'SA6400', dsm: '7.2.2-72806', built: true },
    ...{ ...yaml, serial: true, macs: 2, map: none, bootWait: 15 },
  },
  'rr-25.6.0': { kind: 'rr', title: 'RR', version: '25.6.0', ...fresh, bootWait: 10, why: null },
  'rr-24.3.0': {
    ...{ kind: 'rr', title: 'RR', version: '24.3.0', model: 'DS3622xs+', dsm: '7.1.1-42962', built: false },
    ...{ ...yaml, serial: true, macs: 1, map: { SataPortMap: '12', DiskIdxMap: '1000' }, acpid: false, bootWait: 10 },
  },
  'arc-3.1.0': {
    ...{ kind: 'arc', title: 'Arc', version: '3.1.0', model: 'DS920+', dsm: '7.2.2-72806', built: true },
    ...{ ...yaml, serial: true, macs: 2, map: none },
  },
  'arc-2.0.0': {
    ...{ kind: 'arc', title: 'Arc', version: '2.0.0', model: 'DS3622xs+', dsm: '7.2', built: false },
    ...{ ...yaml, serial: true, macs: 1, map: { SataPortMap: '6', DiskIdxMap: '00' } },
  },
  'arc-1.1.10': { kind: 'arc', title: 'Arc', version: '1.1.10', ...fresh, bootWait: null, why: null },
  'tcrp-0.9.2.9': {
    ...{ kind: 'tcrp', title: 'TinyCore RedPill', version: '0.9.2.9', model: 'DS918+', dsm: '7.1.1-42962' },
    ...{ ...menu, built: true, serial: true, macs: 1, map: { SataPortMap: '1', DiskIdxMap: '10' } },
  },
  'tcrp-0.9.4.6': {
    ...{ kind: 'tcrp', title: 'TinyCore RedPill', version: '0.9.4.6', model: 'DS3622xs+', dsm: '7.2.0-64561' },
    ...{ ...menu, built: true, serial: true, macs: 2, map: { SataPortMap: '14', DiskIdxMap: '1000' } },
  },
  'tcrp-0.10.0.0': {
    ...{ kind: 'tcrp', title: 'TinyCore RedPill', version: '0.10.0.0', model: 'DS923+', dsm: '7.1.1-42962' },
    ...{ ...menu, built: null, serial: false, macs: 0, map: { SataPortMap: '58', DiskIdxMap: '0A00' } },
  },
  'mshell-1.4.5': {
    ...{ kind: 'mshell', title: 'M-shell', version: null, model: null, dsm: null, built: false },
    ...{ ...unread, serial: null, macs: null, map: null },
  },
  'mshell-1.2.3.8': {
    ...{ kind: 'mshell', title: 'M-shell', version: '1.2.3.8', model: 'SA6400', dsm: '7.2.2-72806', built: true },
    ...{ ...menu, serial: true, macs: 1, map: none },
  },
  'mshell-1.0.4.6-jot': {
    ...{ kind: 'mshell', title: 'M-shell', version: '1.0.4.6', model: 'DS3622xs+', dsm: '7.2.1-69057', built: true },
    ...{ ...unread, serial: true, macs: 2, map: { SataPortMap: '12', DiskIdxMap: '1000' } },
  },
  'arpl-1.1-beta2a': {
    ...{ kind: 'arpl', title: 'ARPL', version: '1.1-beta2a', model: 'DS918+', dsm: '42962', built: true },
    ...{ ...yaml, serial: true, macs: 1, map: { SataPortMap: '1', DiskIdxMap: '10' } },
  },
  unknown: {
    ...{ kind: 'unknown', title: 'an unknown loader', version: null, model: null, dsm: null, built: null },
    ...{ ...menu, serial: null, macs: null, map: null },
  },
  // DSM was updated since, and its build number is not known until the next build.
  'facts-rr': {
    ...{ kind: 'rr', title: 'RR', version: null, model: 'SA6400', dsm: '7.2', built: false },
    ...{ ...yaml, serial: true, macs: 2, map: none, bootWait: 10 },
  },
  'facts-arc': {
    ...{ kind: 'arc', title: 'Arc', version: null, model: 'DS3622xs+', dsm: '7.2.2-72806', built: false },
    ...{ ...yaml, serial: true, macs: 1, map: { SataPortMap: '6', DiskIdxMap: '00' } },
  },
  'facts-mshell': {
    ...{ kind: 'mshell', title: 'M-shell', version: null, model: 'SA6400', dsm: '7.2.2-72806', built: true },
    ...{ ...unread, serial: null, macs: null, map: null },
  },
};

test('every image in the fixtures has its row', () => {
  expect(Object.keys(expected).toSorted()).toEqual(images.toSorted());
});

test.for(Object.entries(expected))('%s', async ([name, identity]) => {
  const { partition, home } = await imageOf(name);
  expect(recognise(partition, home)).toEqual(identity);
});

test('a serial number or a MAC is in no answer', async () => {
  for (const name of images) {
    const { partition, home } = await imageOf(name);
    expect(JSON.stringify(recognise(partition, home))).not.toMatch(/0000[A-Z]{3}\d|1234[A-Z]{3}\d|001132/);
  }
});

test('what a menu says comes before files that another loader left behind', async () => {
  const { partition, home } = await imageOf('rr-26.7.4', { 'ARPL-VERSION': '1.1', 'ARC-VERSION': '3.1.0' });
  expect(recognise(partition, home)).toMatchObject({ kind: 'rr', version: '26.7.4' });
  const commented = await imageOf('arc-3.1.0', { 'boot/grub/grub.cfg': '# linux /bzImage-rr\nmenuentry "x" {\n}\n' });
  expect(recognise(commented.partition, null)).toMatchObject({ kind: 'arc', version: '3.1.0', model: 'DS920+' });
});

test('a home of M-shell, whose menu is like that of TinyCore RedPill', async () => {
  const { partition } = await imageOf('tcrp-0.9.2.9');
  const home = new Map([['functions.sh', Buffer.from('rploaderver="1.3.1.1"\n')]]);
  expect(recognise(partition, home)).toMatchObject({ kind: 'mshell', version: '1.3.1.1', model: 'DS918+' });
});

test('without the home, the menu tells what it can', async () => {
  const { partition } = await imageOf('tcrp-0.9.2.9');
  expect(recognise(partition, null)).toEqual({
    ...expected['tcrp-0.9.2.9'],
    ...{ version: null, built: null, why: 'The home of its image builder was not read.' },
  });
});

describe('a configuration that cannot be read is a reason, and no more', () => {
  const many = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes);
  const size = 64 * 1024;
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let nth = 1; nth < 30; nth++) bomb.push(`a${nth}: &a${nth} [${Array(9).fill(`*a${nth - 1}`)}]`);
  const rows: readonly (readonly [what: string, content: Buffer | string, why: RegExp])[] = [
    ['empty', '', /has no settings/],
    ['only a comment', '# model: DS918+\n', /has no settings/],
    ['a list', '- model\n- DS918+\n', /has no settings/],
    ['tabs', 'cmdline:\n\tSataPortMap: "1"\n', /is not valid YAML: line 2/],
    ['broken off', 'model: "DS918+', /is not valid YAML: line 1/],
    ['two documents', 'model: DS918+\n---\nmodel: SA6400\n', /has several documents/],
    ['an alias without its anchor', 'model: *other\n', /aliases/],
    ['an alias of itself', 'cmdline: &a\n  b: *a\n  c: *a\nmodel: DS918+\n', /./],
    ['a bomb of aliases', bomb.join('\n'), /aliases/],
    ['10 MB', Buffer.alloc(10 * 1024 ** 2, 'model: DS918+\n'), /has 10485760 bytes/],
    ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0xfe]), /is not text/],
    ['zeros', Buffer.alloc(4_096), /is not text/],
    ['brackets', many('[', size), /is not valid YAML/],
    ['braces', many('{a: ', size), /is not valid YAML/],
    ['dashes', many('- ', size), /is not valid YAML/],
    ['questions', many('? ', size), /is not valid YAML/],
    ['anchors', many('&a ', size), /is not valid YAML/],
  ];
  test.for(rows)('%s', { timeout: 15_000 }, async ([, content, why]) => {
    const { partition } = await imageOf('rr-26.7.4', { 'user-config.yml': content });
    const told = recognise(partition, null);
    expect(told).toMatchObject({ kind: 'rr', version: '26.7.4' });
    if (told.why === null) expect(told.model).toBe('DS918+');
    else {
      expect(told.why).toMatch(why);
      // The archive of the last build tells its model.
      expect(told).toMatchObject({ model: 'SA6400', dsm: '72806', built: null, serial: null, macs: null, map: null });
    }
  });

  test('neither does GRUB_VER have to be there, or right', async () => {
    for (const content of [null, '', 'MODEL="; rm -rf /"\nDSM_VERSION="x"\n', Buffer.alloc(10 * 1024 ** 2, 'MODEL=')]) {
      const { partition } = await imageOf('rr-26.7.4', { 'user-config.yml': '', GRUB_VER: content });
      expect(recognise(partition, null)).toMatchObject({ kind: 'rr', model: null, dsm: null });
    }
  });

  test('JSON that is none, in the home', async () => {
    const { partition, home } = await imageOf('tcrp-0.9.2.9');
    for (const content of ['', '{', '[]', 'null', '{"extra_cmdline":5}', '{"general":[]}', Buffer.from([0xff, 0])]) {
      const broken = new Map([...(home ?? []), ['user_config.json', Buffer.from(content)]]);
      expect(recognise(partition, broken)).toMatchObject({
        ...{ kind: 'tcrp', version: '0.9.2.9', model: 'DS918+', built: null, serial: true },
        why: expect.stringContaining('user_config.json'),
      });
    }
  });
});

describe('odd values are not passed on', () => {
  test('unknown keys, anchors, other types', async () => {
    const text = [
      'unknown: {deep: [1, 2]}',
      'names: &names {acpid: ""}',
      'model: DS918+',
      'productver: 7.2',
      'buildnum: 69057',
      'mac1: 001132000011',
      'mac2: ~',
      'mac3: [a]',
      'sn: null',
      'bootwait: soon',
      'addons: *names',
      '__proto__: {model: SA6400}',
      'cmdline: {SataPortMap: 14, DiskIdxMap: "0010 init=/bin/sh", "? [a]": b}',
    ].join('\r\n');
    const { partition } = await imageOf('rr-26.7.4', {
      'user-config.yml': `\ufeff${text}\r\n`,
      RR_VERSION: '\u001b[2J',
    });
    expect(recognise(partition, null)).toEqual({
      ...{ kind: 'rr', title: 'RR', version: null, model: 'DS918+', dsm: '7.2-69057', built: false, serial: false },
      ...{ macs: 1, map: { SataPortMap: '14', DiskIdxMap: '' }, acpid: true, bootWait: 10, why: null },
    });
  });

  test('a model with control characters, a version that is none', async () => {
    const text = 'model: "DS918+\\e[2J"\nproductver: "7.2; reboot"\npaturl: x/release/7.2.1/69057/y\nbuildnum: "1"\n';
    const { partition } = await imageOf('rr-26.7.4', { 'user-config.yml': text });
    expect(recognise(partition, null)).toMatchObject({ kind: 'rr', model: null, dsm: null });
  });
});

test('a menu whose lines are endless is read quickly', { timeout: 15_000 }, async () => {
  const endless = ['\n ', 'linux sn=', 'menuentry ', "menuentry '", '# #', '--label "', 'linux "a=b', 'JOT Version : '];
  for (const piece of endless) {
    const grub = piece.repeat(Math.floor((255 * 1024) / piece.length));
    const { partition } = await imageOf('unknown', { 'boot/grub/grub.cfg': grub });
    expect(recognise(partition, null).title).toEqual(expect.any(String));
  }
});

test('each kind can be rebuilt, or is refused with a reason and what to do instead', () => {
  const refused = Object.entries(rebuildRefusals).filter(([, refusal]) => refusal !== null);
  expect(refused.map(([kind]) => kind)).toEqual(['arc', 'mshell', 'arpl', 'trireme', 'unknown']);
  for (const [, refusal] of refused) {
    expect(refusal).toEqual({ message: expect.stringMatching(/\.$/), advice: expect.stringMatching(/\.$/) });
  }
});

test('the names of files are in lower case', () => {
  for (const name of bootFiles) expect(name).toBe(name.toLowerCase());
});
