/** The lab itself: that its machine behaves as the tests of the bridge rely on. */
import { readlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bridgeDown, linkDown, tap, tapDown, wrongBridge } from './faults.ts';
import { address, domainState, guest, inLab, lab, libvirtd, poll, qemuPid, startMosquitto, virsh } from './lab.ts';

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.start();
});

afterAll(async () => {
  if (inLab()) await guest.off();
});

async function stat(name: string): Promise<number | undefined> {
  const line = (await virsh('domstats', address.domain)).split('\n').find(row => row.trim().startsWith(`${name}=`));
  return line === undefined ? undefined : Number(line.split('=')[1]);
}

test('the lab knows what it is', () => {
  expect(['bookworm', 'forky']).toContain(lab().release);
});

test('the domain is the DSM, with three disks, a NIC on the bridge and two vCPUs', async () => {
  expect(await virsh('domuuid', address.domain)).toBe(address.uuid);
  expect(await virsh('domiflist', address.domain)).toMatch(
    new RegExp(`vnet\\d+\\s+bridge\\s+${address.bridge}\\s+virtio\\s+${address.mac}`),
  );
  expect(await stat('block.count')).toBe(3);
  expect(await stat('vcpu.current')).toBe(2);
  expect(guest.serial()).toContain('dsm-lab: up');
});

test('the test driver is there too', async () => {
  expect(await virsh('-c', 'test:///default', 'list', '--name')).toBe('test');
});

test('balloon statistics appear once asked for', async () => {
  await virsh('dommemstat', '--period', '1', address.domain, '--live');
  await poll(async () => (await stat('balloon.unused')) && (await stat('balloon.available')), { what: 'the balloon' });
});

test('guest.run gives output and exit code', async () => {
  expect(await guest.run('echo out; echo err >&2; exit 3')).toEqual({ code: 3, output: 'out\nerr\n' });
});

test('what the guest writes shows in the disk statistics', async () => {
  const before = (await stat('block.0.wr.bytes')) ?? 0;
  const { code } = await guest.run('dd if=/dev/zero of=/dev/sda bs=1M count=8 conv=fsync');
  expect(code).toBe(0);
  expect(((await stat('block.0.wr.bytes')) ?? 0) - before).toBe(8 << 20);
});

test('what crosses the bridge shows in the NIC statistics', async () => {
  const size = 4 << 20;
  await using server = createServer((_, response) => response.end(Buffer.alloc(size)));
  await new Promise<void>(resolve => server.listen(0, address.host, resolve));
  const { port } = server.address() as AddressInfo;

  const [rx = 0, tx = 0] = [await stat('net.0.rx.bytes'), await stat('net.0.tx.bytes')];
  expect((await guest.run(`wget -q -O /dev/null http://${address.host}:${port}/`)).code).toBe(0);
  expect(((await stat('net.0.rx.bytes')) ?? 0) - rx).toBeGreaterThan(size);

  await guest.run(`dd if=/dev/zero of=/www/big bs=1M count=4`);
  await (await fetch(`http://${address.guest}:5000/big`)).arrayBuffer();
  expect(((await stat('net.0.tx.bytes')) ?? 0) - tx).toBeGreaterThan(size);
});

test('a scenario is served from the beginning until the next, and a wrong one is refused', async () => {
  const page = async () => (await fetch(`http://${address.guest}:5000/`)).text();
  expect(await page()).toContain('Synology&nbsp;NAS');
  await guest.scenario('installer');
  expect(await guest.requests()).toEqual([]);
  expect(await page()).toContain('Web Assistant');
  expect(await guest.requests()).toEqual(['5000 GET /']);
  await expect(guest.scenario('nonsense' as 'up')).rejects.toThrow('There is no scenario');
  expect(await page()).toContain('Web Assistant');
  await guest.scenario('up');
});

test('a scenario’s name written by hand is enough', async () => {
  await guest.run('echo booting >/run/scenario');
  await poll(async () => (await guest.run('cat /run/served')).output === 'booting\n', { what: 'the scenario' });
  await expect(fetch(`http://${address.guest}:5000/`)).rejects.toThrow();
  await guest.run('echo nonsense >/run/scenario');
  await poll(() => guest.serial().includes('dsmd: no scenario in: nonsense'), { what: 'the refusal' });
  await guest.scenario('up');
});

test.each([
  ['the link down', linkDown],
  ['the tap on another bridge', wrongBridge],
  ['the tap down', tapDown],
  ['the bridge down', bridgeDown],
])('with %s nobody reaches the guest, until that is undone', async (_, cause) => {
  const silent = () =>
    guest.run(':', { deadline: 500 }).then(
      () => false,
      () => true,
    );
  {
    await using fault = await cause();
    await poll(silent, { what: 'the silence' });
    expect(await domainState()).toBe('running');
    await fault.undo();
    await guest.up();
  }
  await guest.up();
});

test('the faults show where they are looked for', async () => {
  const device = await tap();
  const bridge = async () => (await readlink(`/sys/class/net/${device}/master`)).replace(/.*\//, '');
  {
    await using _ = await wrongBridge();
    expect(await bridge()).toBe('br1');
  }
  expect(await bridge()).toBe(address.bridge);
  {
    await using _ = await linkDown();
    expect(await virsh('domif-getlink', address.domain, address.mac)).toMatch(/down$/);
  }
  expect(await virsh('domif-getlink', address.domain, address.mac)).toMatch(/up$/);
});

test('the guest survives kill -9 of libvirtd', async () => {
  const qemu = qemuPid();
  await libvirtd.kill('SIGKILL');
  expect(libvirtd.pid()).toBeUndefined();
  expect((await guest.run(':')).code).toBe(0);
  await libvirtd.start();
  expect(await domainState()).toBe('running');
  expect(qemuPid()).toBe(qemu);
});

test('a frozen libvirtd answers nobody until it is thawed', async () => {
  libvirtd.freeze();
  let answered = false;
  const state = domainState().finally(() => {
    answered = true;
  });
  expect((await guest.run(':')).code).toBe(0);
  expect(answered).toBe(false);
  libvirtd.thaw();
  expect(await state).toBe('running');
});

test('a hung guest runs on, answers nobody, and does not hear the power button', async () => {
  await guest.hang();
  await virsh('shutdown', address.domain, '--mode', 'acpi');
  await expect(guest.run(':', { deadline: 1_000 })).rejects.toThrow();
  expect(await domainState()).toBe('running');
  expect(qemuPid()).toBeDefined();
  await guest.off();
  await guest.start();
});

test('the power button turns the guest off', async () => {
  await virsh('shutdown', address.domain, '--mode', 'acpi');
  await poll(async () => (await domainState()) === 'shut off', { what: 'the power-off' });
  expect(await virsh('domstate', '--reason', address.domain)).toBe('shut off (shutdown)');
  expect(qemuPid()).toBeUndefined();
});

test('Mosquitto is killed and started on the same port', async () => {
  await using broker = await startMosquitto();
  const { pid, port } = broker;
  await broker.kill();
  expect(broker.pid).toBeUndefined();
  await broker.start();
  expect(broker.pid).not.toBe(pid);
  expect(broker.url).toBe(`mqtt://127.0.0.1:${port}`);
  expect(broker.log()).toContain('running');
});
