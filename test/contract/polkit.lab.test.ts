/** Who may speak to a daemon that asks polkit: root always, others as its rules say. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { Connection } from '../../src/libvirt/connection.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { unixDialer } from '../../src/libvirt/transport.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, inLab, libvirtd, poll } from '../lab/lab.ts';
import { configureLibvirtd, dialAs, type Polkit, startPolkit } from '../lab/polkit.ts';

const uri = parseUri(`qemu+unix:///system?socket=${address.socket}`);
const asRoot = unixDialer(uri.sockets);
const asNobody = dialAs(65_534);

let daemon: AsyncDisposable | undefined;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  daemon = await configureLibvirtd('auth_unix_rw = "polkit"');
});

afterAll(() => daemon?.[Symbol.asyncDispose]());

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
  let polkit: Polkit;

  beforeAll(async () => {
    polkit = await startPolkit();
    await libvirtd.kill();
    await libvirtd.start();
  });

  afterAll(() => polkit[Symbol.asyncDispose]());

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
    const rule = `polkit.addRule(function (action, subject) { if (${grant}) return polkit.Result.YES; });\n`;
    await polkit.rules('50-dsm2mqtt-test.rules', rule);
    const client = await poll(() => Libvirt.open({ uri, dial: asNobody }), { what: 'the rule' });
    expect(await client.domainByName(address.domain)).toMatchObject({ uuid: address.uuid });
    await client.close();
  });
});
