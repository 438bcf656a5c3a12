/** `definition`, with libvirt's part played by the fake: what is printed, what is brought back, and what is refused. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { definition } from '../../src/cli/definition/definition.ts';
import type { Host } from '../../src/config/config.ts';
import { keepCopy, lookAtDefinition, readCopies } from '../../src/definition/copies.ts';
import { Running, vmConfig } from '../bridge/running.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';
import { captured } from './output.ts';

interface Changes {
  copy?: string;
  other?: string;
  vm?: string;
  json?: boolean;
  yes?: boolean;
  nvram?: boolean;
  answer?: string;
  libvirt?: Partial<Host>;
}

function run(running: Running, what: string, changes: Changes = {}) {
  const { copy, other, vm = 'DSM', json = false, yes = true, nvram = false, answer, libvirt = {} } = changes;
  const config = running.config({ vms: [vmConfig()], libvirt });
  const stdin = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
  if (answer !== undefined) stdin.write(`${answer}\n`);
  const { signal } = new AbortController();
  return captured(out => definition({ config, vm, what, copy, other, json, yes, nvram, stdin, signal, ...out }));
}

/** A VM on this machine, and its copies. */
async function kept(...definitions: string[]): Promise<Running> {
  const running = await Running.prepare();
  running.daemon.options.hostname = hostname();
  for (const xml of definitions) {
    running.daemon.define(xml);
    await keepCopy(running.folder, 'DSM', await lookAtDefinition(xml, true));
  }
  return running;
}

/** Its disks are empty files, and its NVRAM is none unless one is given. */
async function dsm(folder: string, { vcpus = 2, nvram = '' } = {}): Promise<string> {
  await mkdir(folder, { recursive: true });
  const files = ['sda', 'sdb', 'loader'].map(name => join(folder, `${name}.img`));
  await Promise.all(files.map(file => writeFile(file, '')));
  return dsmXml()
    .replaceAll(/<source file='[^']*\/([^/']*)'/g, (_, name) => `<source file='${join(folder, name)}'`)
    .replace(/<loader .*?<\/nvram>/s, nvram && `<nvram>${nvram}</nvram>`)
    .replace(/(<vcpu[^>]*>)\d+/, `$1${vcpus}`);
}

async function withImages(name: string, ...vcpus: number[]) {
  const folder = join('/tmp', `definition-${process.pid}-${name}`);
  const xmls = await Promise.all(vcpus.map(count => dsm(folder, { vcpus: count })));
  const running = await kept(...xmls);
  return {
    running,
    xmls,
    folder,
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

describe('list and show', () => {
  test('the oldest first: number, what changed, and whether the NVRAM is there', async () => {
    await using it = await withImages('list', 2, 3, 4);
    const { code, stdout, stderr } = await run(it.running, 'list');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map(row => row.split(/ {2,}/).toSpliced(1, 1));
    expect(rows).toEqual([
      ['Copy', 'NVRAM', 'Changed'],
      ['1', 'none', 'the oldest'],
      ['2', 'none', 'vcpu'],
      ['3', 'none', 'vcpu'],
    ]);
    const all = JSON.parse((await run(it.running, 'list', { json: true })).stdout);
    expect(all).toMatchObject([
      { number: 1, changed: [] },
      { number: 2, changed: ['vcpu'], nvram: null },
      { number: 3 },
    ]);
    expect(all[0]).not.toHaveProperty('xml');
  });

  test('the XML of the newest, or of another one', async () => {
    await using it = await withImages('show', 2, 3);
    expect((await run(it.running, 'show')).stdout.trimEnd()).toBe(it.xmls[1]?.trimEnd());
    expect((await run(it.running, 'show', { copy: '1' })).stdout.trimEnd()).toBe(it.xmls[0]?.trimEnd());
    expect(JSON.parse((await run(it.running, 'show', { copy: '1', json: true })).stdout).xml).toBe(it.xmls[0]);
  });

  test('a damaged one is named, and left out', async () => {
    await using it = await withImages('damaged', 2, 3);
    await truncate(join(it.running.folder, 'definitions', 'DSM', '2.json'), 700);
    const { code, stdout, stderr } = await run(it.running, 'list');
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Left out, because they are damaged: 2.\n' });
    expect(stdout).toMatch(/^1 .*oldest\n$/m);
    expect(await run(it.running, 'show', { copy: '2' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has no copy 2. It has 1.'),
    });
  });

  test.each(['list', 'show', 'diff', 'restore'])('%s without a copy says who keeps them', async what => {
    await using running = await kept();
    const { code, stdout, stderr } = await run(running, what);
    expect(code).toBe(what === 'list' ? 0 : 1);
    expect(stdout + stderr).toContain('There is no copy yet: the bridge keeps one when it starts');
  });

  test('wrong usage: 2', async () => {
    await using it = await withImages('usage', 2);
    expect(await run(it.running, 'lsit')).toMatchObject({
      code: 2,
      stderr: "`definition DSM` takes list, show, diff or restore, not 'lsit'.\n",
    });
    await using none = await kept();
    expect(await run(none, 'lsit')).toMatchObject({ code: 2, stderr: expect.stringContaining("not 'lsit'") });
    expect(await run(it.running, 'show', { copy: 'x' })).toMatchObject({ code: 2 });
    expect(await run(it.running, 'restore')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('definition DSM list'),
    });
    expect(await run(it.running, 'list', { vm: 'DSMM' })).toMatchObject({ code: 2 });
    expect(await run(it.running, 'restore', { copy: '1', yes: false })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
  });

  test('copies that cannot be read: 1', async () => {
    await using running = await kept();
    await writeFile(join(running.folder, 'definitions'), '');
    expect(await run(running, 'list')).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOTDIR') });
  });
});

describe('diff', () => {
  test('to what is there now, from the newest that differs, or from any; and between two', async () => {
    await using it = await withImages('diff', 2, 3, 4);
    const says = async (changes: Changes) => (await run(it.running, 'diff', changes)).stdout.replace(/ \(.*\)/, '');
    expect(await says({})).toBe('From copy 2 to now:\n    vcpu: 3 → 4\n');
    expect(await says({ copy: '1' })).toBe('From copy 1 to now:\n    vcpu: 2 → 4\n');
    expect(await says({ copy: '3' })).toBe('From copy 3 to now:\n  no difference\n');
    expect(await says({ copy: '2', other: '1' })).toBe('From copy 2 to copy 1:\n    vcpu: 3 → 2\n');
    const { stdout } = await run(it.running, 'diff', { json: true });
    expect(JSON.parse(stdout)).toEqual({ from: 2, to: 'now', changes: [{ path: 'vcpu', was: '3', is: '4' }] });
  });

  test('no secret and no serial number is shown, also where only that differs', async () => {
    await using it = await withImages('secrets', 2);
    const [xml = ''] = it.xmls;
    const secret = (serial: string, argument: string) =>
      xml
        .replace("<target dev='sda'", `<serial>${serial}</serial><target dev='sda'`)
        .replace('</domain>', `<qemu:commandline><qemu:arg value='id=${argument}'/></qemu:commandline></domain>`);
    await keepCopy(it.running.folder, 'DSM', await lookAtDefinition(secret('FIRST', 'one'), true));
    it.running.daemon.define(secret('SECOND', 'two'));
    const { stdout } = await run(it.running, 'diff');
    expect(stdout).not.toMatch(/FIRST|SECOND|one|two/);
    expect(stdout).toContain('devices/disk[sda]/serial: [serial] → another [serial]');
    expect(stdout).toContain('qemu:commandline/qemu:arg@value');
  });

  test('libvirt away: 3; no such domain: 1; two copies need no libvirt', async () => {
    await using it = await withImages('away', 2, 3);
    it.running.daemon.domain('DSM').undefine();
    expect(await run(it.running, 'diff')).toMatchObject({ code: 1, stderr: expect.stringContaining('no domain DSM') });
    await it.running.daemon.kill();
    expect(await run(it.running, 'diff')).toMatchObject({ code: 3 });
    expect(await run(it.running, 'diff', { copy: '1', other: '2' })).toMatchObject({ code: 0 });
    expect(await run(it.running, 'restore', { copy: '1' })).toMatchObject({ code: 3 });
  });
});

describe('restore', () => {
  const now = (running: Running) => running.daemon.domain('DSM').xml({ inactive: true });

  test('brings a copy back, says what changes, and keeps what was there', async () => {
    await using it = await withImages('restore', 2, 3);
    const unkept = it.xmls[1]?.replace(/(<vcpu[^>]*>)\d+/, '$17') ?? '';
    it.running.daemon.define(unkept);
    const { code, stdout, stderr } = await run(it.running, 'restore', { copy: '1' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'DSM VM is as in copy 1.\n' });
    expect(stderr).toContain('    vcpu: 7 → 2\n');
    expect(now(it.running)).toBe(it.xmls[0]);
    const { copies } = await readCopies(it.running.folder, 'DSM');
    expect(copies.map(({ xml }) => xml)).toEqual([...it.xmls, unkept]);
    expect(JSON.parse((await run(it.running, 'restore', { copy: '3', json: true })).stdout)).toEqual({
      ...{ restored: 3, nvram: false, open: ['devices/graphics[vnc]'], different: [] },
    });
    expect(now(it.running)).toBe(unkept);
  });

  test.each<[answer: string, code: number, vcpus: number]>([
    ['y', 0, 2],
    ['n', 1, 3],
    ['', 1, 3],
  ])("asks: '%s'", async (answer, code, vcpus) => {
    await using it = await withImages(`asks-${answer}`, 2, 3);
    const said = await run(it.running, 'restore', { copy: '1', yes: false, answer });
    expect(said.code).toBe(code);
    if (code !== 0) expect(said.stderr).toContain('Nothing was done.');
    expect(it.running.daemon.domain('DSM').hardware.vcpus).toBe(vcpus);
  });

  test.each<[what: string, why: string, prepare: (it: Awaited<ReturnType<typeof withImages>>) => unknown]>([
    ['one that runs', 'is not off', it => it.running.daemon.domain('DSM').start()],
    ['what is there already', 'already as in copy 1', it => it.running.daemon.define(it.xmls[0] ?? '')],
    [
      'a disk that is not there',
      'sdb.img, the source of the disk sdb, is not there',
      it => rm(join(it.folder, 'sdb.img')),
    ],
    [
      ...['another domain of that name', 'of another domain'],
      (it: Awaited<ReturnType<typeof withImages>>) => {
        it.running.daemon.domain('DSM').undefine();
        it.running.daemon.define({ uuid: '00000000-0000-4000-8000-000000000001' });
      },
    ] as [string, string, (it: Awaited<ReturnType<typeof withImages>>) => unknown],
    [
      ...['what cannot be kept first', 'the present definition cannot be kept'],
      async (it: Awaited<ReturnType<typeof withImages>>) => {
        it.running.daemon.define(it.xmls[1]?.replace('<vcpu', '<title>t</title><vcpu') ?? '');
        await mkdir(join(it.running.folder, 'definitions', 'DSM', `3.json.${process.pid}.partial`));
      },
    ] as [string, string, (it: Awaited<ReturnType<typeof withImages>>) => unknown],
  ])('is refused for %s: 1, and nothing is done', async (what, why, prepare) => {
    await using it = await withImages(what.replaceAll(' ', '-'), 2, 3);
    await prepare(it);
    const before = now(it.running);
    const calls = () => it.running.daemon.calls.filter(({ name }) => name === 'domainDefineXmlFlags');
    expect(await run(it.running, 'restore', { copy: '1' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(why),
    });
    expect(now(it.running)).toBe(before);
    expect(calls()).toEqual([]);
  });

  test.each<[what: string, from: string, to: string]>([
    ['the definition', '<vcpu', '<title>t</title><vcpu'],
    ['a password', "<graphics type='vnc'", "<graphics type='vnc' passwd='new'"],
  ])('%s changes while it asks: 1, and nothing is done', async (what, from, to) => {
    await using it = await withImages(`asks-${what.replace(' ', '-')}`, 2, 3);
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const config = it.running.config({ vms: [vmConfig()] });
    const { signal } = new AbortController();
    const said = captured(({ stdout, stderr }) => {
      const asked = (text: string) => {
        if (!text.includes('[y/N]')) return stderr.write(text);
        it.running.daemon.define(it.xmls[1]?.replace(from, to) ?? '');
        return stdin.write('y\n');
      };
      const streams = { stdin, stdout, stderr: Object.assign(new PassThrough(), { write: asked }) };
      const call = { vm: 'DSM', what: 'restore', copy: '1', json: false, yes: false, nvram: false, signal };
      return definition({ config, ...call, ...streams });
    });
    expect(await said).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('changed meanwhile. Nothing was done.'),
    });
    expect(it.running.daemon.domain('DSM').hardware.vcpus).toBe(3);
  });

  test('a read-only libvirt: 1', async () => {
    await using it = await withImages('read-only', 2, 3);
    const libvirt = { uri: it.running.daemon.readOnlyUri, readOnly: true };
    expect(await run(it.running, 'restore', { copy: '1', libvirt })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('read_only'),
    });
  });

  test('an image that only libvirt sees is there', async () => {
    await using it = await withImages('pool', 2, 3);
    const pool = join(it.running.folder, 'pool');
    await mkdir(pool);
    await writeFile(join(pool, 'sdb.img'), '');
    const xml = it.xmls[0]?.replace(join(it.folder, 'sdb.img'), join(pool, 'sdb.img')) ?? '';
    await keepCopy(it.running.folder, 'DSM', await lookAtDefinition(xml, true));
    it.running.daemon.storage.create(`<pool><name>p</name><target><path>${pool}</path></target></pool>`);
    await rm(join(pool, 'sdb.img'));
    expect(await run(it.running, 'restore', { copy: '3' })).toMatchObject({ code: 0 });
  });

  test('a definition that is gone is made again', async () => {
    await using it = await withImages('gone', 2, 3);
    it.running.daemon.domain('DSM').undefine();
    expect(await run(it.running, 'restore', { copy: '1' })).toMatchObject({ code: 0 });
    expect(now(it.running)).toBe(it.xmls[0]);
  });

  test('a password that is there now is kept; where there is none, that is said', async () => {
    await using it = await withImages('password', 2, 3);
    const [first = '', second = ''] = it.xmls.map(xml =>
      xml.replace(/<graphics [^>]*>/, "<graphics type='vnc' port='-1'>"),
    );
    await keepCopy(it.running.folder, 'DSM', await lookAtDefinition(first, true));
    it.running.daemon.define(second.replace("type='vnc'", "type='vnc' passwd='a&amp;b'"));
    const said = await run(it.running, 'restore', { copy: '3' });
    expect(said).toMatchObject({ code: 0 });
    expect(said.stderr).not.toMatch(/password|a&amp;b/);
    expect(now(it.running)).toContain("<graphics type='vnc' passwd='a&amp;b' port='-1'>");
    it.running.daemon.define(second);
    expect((await run(it.running, 'restore', { copy: '3' })).stderr).toContain(
      'If devices/graphics[vnc] had a password',
    );
    expect(now(it.running)).toBe(first);
  });

  test('libvirt refuses the definition: 1, and its words', async () => {
    await using it = await withImages('refused', 2, 3);
    const strange = it.xmls[0]?.replace('<vcpu', '<nonsense/><vcpu') ?? '';
    await keepCopy(it.running.folder, 'DSM', await lookAtDefinition(strange, true));
    expect(await run(it.running, 'restore', { copy: '3' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('schema'),
    });
    expect(now(it.running)).toBe(it.xmls[1]);
  });
});

describe('restore --nvram', () => {
  async function withNvram(name: string) {
    const folder = join('/tmp', `definition-${process.pid}-nvram-${name}`);
    const path = join(folder, 'DSM_VARS.fd');
    const xml = await dsm(folder, { nvram: path });
    await writeFile(path, 'old variables');
    const running = await kept(xml);
    await writeFile(path, 'new');
    return {
      running,
      path,
      folder,
      [Symbol.asyncDispose]: async () => {
        await running[Symbol.asyncDispose]();
        await rm(folder, { recursive: true });
      },
    };
  }

  test('writes it back into its file, and keeps what was in it', async () => {
    await using it = await withNvram('back');
    await chmod(it.path, 0o640);
    expect(await run(it.running, 'restore', { copy: '1' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already'),
    });
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject({ code: 0 });
    expect(await readFile(it.path, 'utf8')).toBe('old variables');
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject({ code: 1 });
    expect(await run(it.running, 'restore', { copy: '2', nvram: true })).toMatchObject({ code: 0 });
    expect(await readFile(it.path, 'utf8')).toBe('new');
  });

  test('makes a file that is gone', async () => {
    await using it = await withNvram('gone');
    await rm(it.path);
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject({ code: 0 });
    expect(await readFile(it.path, 'utf8')).toBe('old variables');
  });

  test('does not overwrite a file of which no copy can be kept', async () => {
    await using it = await withNvram('foreign');
    const domain = it.running.daemon.domain('DSM');
    domain.redefine(domain.xml().replace(it.path, `${it.path}.other`));
    const refused = { code: 1, stderr: expect.stringContaining('move it away first') };
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject(refused);
    domain.undefine();
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject(refused);
    expect(await readFile(it.path, 'utf8')).toBe('new');
    await rm(it.path);
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject({ code: 0 });
    expect(await readFile(it.path, 'utf8')).toBe('old variables');
  });

  test('without it, that it stays is said', async () => {
    await using it = await withNvram('stays');
    it.running.daemon.define(
      it.running.daemon
        .domain('DSM')
        .xml()
        .replace(/(<vcpu[^>]*>)\d+/, '$13'),
    );
    expect((await run(it.running, 'restore', { copy: '1' })).stderr).toContain('The NVRAM stays as it is; --nvram');
    expect(await readFile(it.path, 'utf8')).toBe('new');
  });

  test('a copy without one, and a place that cannot be written: 1, before anything is done', async () => {
    await using it = await withImages('no-nvram', 2, 3);
    expect(await run(it.running, 'restore', { copy: '1', nvram: true })).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('Copy 1 has no NVRAM: its definition has none') },
    });
    await using other = await withNvram('unwritable');
    await rm(other.folder, { recursive: true });
    expect(await run(other.running, 'restore', { copy: '1', nvram: true })).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('The NVRAM cannot be written') },
    });
    expect(existsSync(other.path)).toBe(false);
    await mkdir(other.folder);
  });
});
