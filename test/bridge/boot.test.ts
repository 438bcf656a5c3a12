/** Boots in the whole bridge: read where they can be, told when they go wrong, and in nobody's way. */
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Findings } from '../../src/checks/finding.ts';
import type { Probes } from '../../src/checks/probes.ts';
import { boot as verb } from '../../src/cli/record/boot.ts';
import { type ProbeName, unknownDsm } from '../../src/model/check.ts';
import type { BootDocument, CheckDocument } from '../../src/model/documents.ts';
import { notAsked, up } from '../checks/ward.ts';
import { eventually } from '../eventually.ts';
import { type ConfigChanges, Running, vmConfig } from './running.ts';

/** A DSM that is silent, until it is up or in its installer. */
function guest() {
  const silent = { neighbour: 'silent', ping: 'silent', tcp: 'silent', web: 'closed', dsm: 'silent' };
  const world: { [P in ProbeName]: string } = { ...up, ...silent, discovery: 'silent' };
  const address = '10.0.0.20';
  const find = async <P extends ProbeName>(probe: P, rest: object = {}): Promise<Findings[P]> =>
    ({ kind: world[probe], ms: 1, explanation: 'So it is.', ...rest }) as unknown as Findings[P];
  const probes: Probes = {
    bridge: () => find('bridge'),
    neighbour: () => find('neighbour', { address: world.neighbour === 'ok' ? address : null }),
    ping: () => find('ping'),
    tcp: () => find('tcp', { open: [5_000], closed: [] }),
    web: () => find('web', { port: 5_000, secure: false, name: null, base: '' }),
    dsm: () => find('dsm', { identity: null }),
    discovery: () => find('discovery', { device: world.discovery === 'ready' ? { ...unknownDsm, address } : null }),
    ...notAsked,
    addresses: async () => [address],
    resolve: async name => name,
  };
  return {
    probes,
    comeUp: () => Object.assign(world, up),
    hang: () => Object.assign(world, silent, { discovery: 'silent' }),
  };
}

const checks = {
  ...{ ...vmConfig().checks, schedule: '* * * * * *', ports: [5_000] },
  ...{ bootGrace: 1_500, failuresBeforeDown: 1, probeTimeout: 1_000 },
};

/** A bridge to a VM that is off, which writes its serial port to a file or has only a console. */
async function stage(source: 'log' | 'console', changes: Parameters<typeof vmConfig>[0] = {}) {
  const running = await Running.prepare();
  // Of another machine's libvirt no file is read.
  running.daemon.options.hostname = hostname();
  const file = join(running.folder, 'serial.log');
  const { probes, ...dsm } = guest();
  const domain = running.daemon.define();
  const serial =
    source === 'log' ? `<serial type='pty'><log file='${file}' append='on'/></serial>` : `<serial type='pty'/>`;
  domain.redefine(domain.xml({ inactive: true }).replace(/<serial.*?<\/serial>/s, serial));
  if (source === 'log') await writeFile(file, 'of an earlier boot\n');
  const seen = await running.observe();
  const config: ConfigChanges = { vms: [vmConfig({ checks, ...changes })], probes };
  await running.start(config);
  await seen.take('b/DSM/availability', 'online');
  const documents =
    <T>(tail: string) =>
    async (matches: (document: T) => boolean): Promise<T> => {
      const read = ({ payload }: { payload: string }): T => JSON.parse(payload);
      const is = ({ topic, payload }: { topic: string; payload: string }) =>
        topic === `b/DSM/${tail}` && payload !== '' && matches(read({ payload }));
      return read(await seen.seen.take(is));
    };
  const reads = () => eventually(() => expect(domain.console.taken).toBe(true));
  return Object.assign(running, {
    ...{
      seen,
      domain,
      dsm,
      file,
      reads,
      boot: documents<BootDocument>('boot'),
      check: documents<CheckDocument>('check'),
    },
    say: (text: string | Buffer) => (source === 'log' ? appendFile(file, text) : domain.console.write(text)),
    config_: config,
  });
}

/** Resolves when this was recorded. */
async function recorded(running: Running, text: string): Promise<void> {
  const end = new AbortController();
  const write = (lines: string) => {
    if (lines.includes(text)) end.abort();
  };
  await printed(running, { follow: true, stdout: { write }, signal: end.signal });
}

/** What `dsm2mqtt boot` prints. */
async function printed(running: Running, options: Partial<Parameters<typeof verb>[0]> = {}) {
  let out = '';
  const write = (text: string) => {
    out += text;
  };
  const streams = { stdout: { write }, stderr: { write } };
  const given = {
    vm: 'DSM',
    last: false,
    diff: false,
    follow: false,
    json: false,
    signal: AbortSignal.timeout(60_000),
  };
  const code = await verb({ config: running.config(), ...given, ...streams, ...options });
  return { code, out };
}

test.concurrent('from the serial log: a boot that hangs tells its last lines, and a good one after it', async () => {
  await using it = await stage('log', { checks: { ...checks, bootGrace: 5_000 } });
  it.domain.start();
  await it.say('GNU GRUB\r\nLinux version 4.4.180+\r\nCommand line: sn=2040PDN012345 mac1=001132AABBCC\r\n');
  await it.say('Kernel panic - not syncing: no init\r\n');
  const told = await it.boot(({ result, lines }) => result === 'problem' && lines.length === 4);
  expect(told).toMatchObject({ phase: 'kernel', source: 'log', next_in_good_boot: [] });
  expect(told.lines).toEqual([
    ...['GNU GRUB', 'Linux version 4.4.180+', 'Command line: sn=[serial] mac1=[mac]'],
    'Kernel panic - not syncing: no init',
  ]);
  const { reason } = await it.check(({ reason: text }) => text.includes('The boot stopped after: '));
  expect(reason).toMatch(/ The boot stopped after: Kernel panic - not syncing: no init$/);
  it.dsm.comeUp();
  expect(await it.boot(({ result }) => result === 'ok')).toMatchObject({ phase: 'up', lines: [] });
  expect((await it.check(({ verdict }) => verdict === 'up')).reason).not.toContain('stopped');
  it.dsm.hang();
  it.domain.reboot();
  let isHeard = false;
  const hearing = recorded(it, 'the second boot').then(() => {
    isHeard = true;
  });
  await eventually(async () => {
    await it.say('the second boot\r\n');
    expect(isHeard).toBe(true);
  });
  await hearing;
  const again = await it.boot(({ result, started_at }) => result === 'problem' && started_at > told.started_at);
  expect(new Set(again.lines)).toEqual(new Set(['the second boot']));
  const path = join(it.folder, 'boots', 'DSM.json');
  await eventually(async () => expect(await readFile(path, 'utf8')).toContain('"good": {'));
  expect(await readFile(path, 'utf8')).not.toMatch(/2040PDN|AABBCC/i);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.concurrent('the last good boot is there for the next bridge, which shows what it had next', async () => {
  await using it = await stage('log');
  it.domain.start();
  await it.say('[ 1.0] md: raid1\n[ 1.2] EXT4-fs mounted\n[ 1.3] linuxrc.syno\n');
  await recorded(it, 'linuxrc');
  it.dsm.comeUp();
  await it.boot(({ result }) => result === 'ok');
  await it.stop();
  it.domain.powerOff();
  it.dsm.hang();
  await it.start(it.config_);
  await eventually(async () => expect((await printed(it)).out).toContain('EXT4-fs'));
  await it.seen.take('b/DSM/availability', 'online');
  it.domain.start();
  await it.say('[ 1.1] md: raid1\n[ 2.0] BUG\n');
  const told = await it.boot(({ result }) => result === 'problem');
  expect(told).toMatchObject({ next_in_good_boot: ['[ 1.2] EXT4-fs mounted', '[ 1.3] linuxrc.syno'] });
  const { out } = await printed(it, { diff: true });
  expect(out).toMatch(/in both:\n {2}\[ 1\.1\] md: raid1\n.*\n\+ \[ 2\.0\] BUG\n- \[ 1\.2\]/);
});

describe('the console', () => {
  test.concurrent('is not touched unless the configuration says so', async () => {
    await using it = await stage('console');
    it.domain.start();
    const told = await it.boot(({ result }) => result === 'problem');
    expect(told).toMatchObject({ source: null, lines: [], phase: null });
    expect(it.daemon.calls.map(({ name }) => name)).not.toContain('domainOpenConsole');
  });

  test.concurrent('is read while the VM boots, followed live, and given back when DSM is up', async () => {
    await using it = await stage('console', { console: 'boots', checks: { ...checks, bootGrace: 60_000 } });
    it.domain.start();
    await it.reads();
    let live = '';
    const write = (text: string) => {
      live += text;
    };
    const following = printed(it, { follow: true, stdout: { write } });
    await eventually(() => {
      it.say('still here\r\n');
      expect(live).toContain('still here');
    });
    it.say('and now\r\n');
    it.dsm.comeUp();
    await it.boot(({ result }) => result === 'ok');
    expect(it.domain.console.taken).toBe(false);
    expect((await following).code).toBe(0);
    expect(live).toMatch(/and now\n$/);
    await eventually(async () => expect((await printed(it)).out).toContain('from the console'));
  });

  test.concurrent('that somebody has is not disturbed, which is told once', async () => {
    await using it = await stage('console', { console: 'boots' });
    let heard = '';
    const data = (bytes: Buffer) => {
      heard += bytes.toString();
    };
    it.domain.start();
    const leave = it.domain.console.open({ data, ended: () => {} }, true);
    await it.boot(({ result }) => result === 'problem');
    it.say('for them');
    expect(heard).toContain('for them');
    expect(it.log.of('boot.unread')).toMatchObject([{ level: 'info', reason: 'somebody else has its console' }]);
    leave();
  });

  test.concurrent('taken away by force, it is let go for this boot', async () => {
    await using it = await stage('console', { console: 'boots' });
    it.domain.start();
    await it.reads();
    it.say('before\r\n');
    const leave = it.domain.console.open({ data: () => {}, ended: () => {} }, true);
    const told = await it.boot(({ result }) => result === 'problem');
    expect(told.lines).toEqual(['before', '--- the console was taken away ---']);
    leave();
    expect(it.domain.console.taken).toBe(false);
  });

  test.concurrent('libvirtd dies meanwhile: the record says so and goes on', async () => {
    await using it = await stage('console', { console: 'boots', checks: { ...checks, bootGrace: 8_000 } });
    it.domain.start();
    await it.reads();
    it.say('before\r\n');
    await it.daemon.kill();
    await it.daemon.listen();
    await it.reads();
    it.say('after\r\n');
    const told = await it.boot(({ result }) => result === 'problem');
    expect(told.lines).toEqual(['before', '--- libvirt is away: what comes meanwhile is missing ---', 'after']);
  });

  test.concurrent('garbage and ten megabytes do no harm', async () => {
    await using it = await stage('console', { console: 'boots', checks: { ...checks, bootGrace: 10_000 } });
    it.domain.start();
    await it.reads();
    for (let i = 0; i < 160; i++) it.say(Buffer.alloc(65_536, i));
    it.say('\nlegible\n');
    await recorded(it, 'legible');
    const told = await it.boot(({ result }) => result === 'problem');
    expect(told.lines.at(-1)).toBe('legible');
    expect(JSON.stringify(told).length).toBeLessThan(20_000);
  });
});

test.concurrent('a VM that is shut down while it boots is no failed boot', async () => {
  await using it = await stage('log');
  it.domain.start();
  await it.say('one\n');
  await it.check(({ verdict }) => verdict === 'booting');
  await it.seen.publish('b/DSM/command', 'force_off');
  await it.check(({ verdict }) => verdict === 'off');
  await eventually(async () => expect((await printed(it)).out).toContain('stopped'));
  expect(it.seen.seen.all.filter(({ topic }) => topic === 'b/DSM/boot')).toEqual([]);
});
