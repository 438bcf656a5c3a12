/** Who may speak to a daemon that asks polkit: root always, others as its rules say. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { Connection } from '../../src/libvirt/connection.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { type Dialer, unixDialer } from '../../src/libvirt/transport.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, inLab, libvirtd, poll } from '../lab/lab.ts';

const configuration = '/etc/libvirt/libvirtd.conf';
const rule = '/etc/polkit-1/rules.d/50-dsm2mqtt-test.rules';
const nobody = 65_534;
const uri = parseUri(`qemu+unix:///system?socket=${address.socket}`);
const asRoot = unixDialer(uri.sockets);

/** The daemon asks the kernel who connects, so only that moment counts. */
const asNobody: Dialer = async signal => {
  process.seteuid?.(nobody);
  try {
    return await asRoot(signal);
  } finally {
    process.seteuid?.(0);
  }
};

let original: string;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  original = await readFile(configuration, 'utf8');
  await writeFile(configuration, original.replace('auth_unix_rw = "none"', 'auth_unix_rw = "polkit"'));
  await restart();
});

afterAll(async () => {
  if (!inLab()) return;
  await writeFile(configuration, original);
  await restart();
});

async function restart(): Promise<void> {
  await libvirtd.kill();
  await libvirtd.start();
}

test('root is let in, by AUTH_LIST', async () => {
  await using client = await Libvirt.open({ uri, dial: asRoot });
  expect(await client.type()).toBe('QEMU');
});

test('without AUTH_LIST not even root', async () => {
  using connection = new Connection(await asRoot(AbortSignal.timeout(1_000))).start();
  const opening = connection.call(procedures.connectOpen, { name: 'qemu:///system', flags: 0 });
  await expect(opening).rejects.toMatchObject({ code: 39 });
});

test('others are refused where the daemon reaches no D-Bus', async () => {
  await expect(Libvirt.open({ uri, dial: asNobody })).rejects.toMatchObject({ code: 1, domain: 47 });
});

describe('with D-Bus and polkitd', () => {
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    await mkdir('/run/dbus', { recursive: true });
    children.push(spawn('/usr/bin/dbus-daemon', ['--system', '--nofork', '--nopidfile']));
    await poll(() => existsSync('/run/dbus/system_bus_socket'), { what: 'D-Bus' });
    children.push(spawn('/usr/lib/polkit-1/polkitd', ['--no-debug']));
    await restart();
  });

  afterAll(async () => {
    for (const child of children) child.kill();
    await rm(rule, { force: true });
    await rm('/run/dbus/system_bus_socket', { force: true });
  });

  test('others are refused when no rule lets them in', async () => {
    const refusal = () =>
      Libvirt.open({ uri, dial: asNobody }).then(
        () => null,
        error => ({ code: error.code, domain: error.domain }),
      );
    // Until polkitd is up it is D-Bus that cannot help.
    await expect.poll(refusal, { timeout: 10_000 }).toEqual({ code: 94, domain: 60 });
  });

  test('others are let in by a rule', async () => {
    const grant = 'action.id == "org.libvirt.unix.manage" && subject.user == "nobody"';
    await writeFile(rule, `polkit.addRule(function (action, subject) { if (${grant}) return polkit.Result.YES; });\n`);
    const client = await poll(() => Libvirt.open({ uri, dial: asNobody }), { what: 'the rule' });
    expect(await client.domainByName(address.domain)).toMatchObject({ uuid: address.uuid });
    await client.close();
  });
});
