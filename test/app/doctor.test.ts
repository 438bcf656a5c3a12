/** Certain harm on its way to Home Assistant: when a definition changes, and when a disk is another one. */
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { createDoctor } from '../../src/app/host/doctor.ts';
import type { HostConfig } from '../../src/config/config.ts';
import { type KnownDisks, lookAtHost } from '../../src/doctor/host.ts';
import type { DoctorDocument } from '../../src/model/documents.ts';
import { emptyVm } from '../../src/model/snapshot.ts';
import { State } from '../../src/model/state.ts';
import { Running, vmConfig } from '../bridge/running.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';
import { at, checkOf } from '../model/samples.ts';

const powerless = dsmXml().replace('<acpi/>', '');

test('a definition without ACPI is a problem until it is mended', async () => {
  await using running = await Running.start();
  const said = async () => JSON.parse((await running.seen.take('b/DSM/doctor')).payload) as DoctorDocument;
  expect(await said()).toEqual({ problem: false, findings: [] });
  running.daemon.define(powerless);
  const seen = '`<features>` has no `<acpi/>`.';
  expect(await said()).toMatchObject({ problem: true, findings: [{ level: 'harm', code: 'no_acpi', seen }] });
  running.daemon.define(dsmXml());
  expect(await said()).toEqual({ problem: false, findings: [] });
});

const config = { libvirt: { uri: 'qemu:///system', readOnly: false }, vms: [vmConfig()] } as unknown as HostConfig;
const info = { hostname: hostname(), libvirt: '9.0.0', hypervisor: 'QEMU 7.2.0' };
const withDisk = (path: string) =>
  `<domain type='kvm'><features><acpi/></features><devices><disk type='block' device='disk'><source dev='${path}'/><target dev='sda'/></disk></devices></domain>`;

test('it waits until libvirt’s host is known, and of two looks the newer one counts', async () => {
  const state = new State({ DSM: emptyVm('DSM', 'DSM') });
  const doctor = createDoctor(config, state, { file: { save: () => {} }, was: {} });
  state.subscribe(event => doctor.hear(event));
  const looked = Promise.withResolvers<void>();
  state.subscribe(event => event.type === 'examined' && looked.resolve());
  doctor.look('DSM', powerless);
  doctor.look('DSM', withDisk('/dev/null'));
  expect(state.vm('DSM').harm).toBe(null);
  state.dispatch({ type: 'hypervisor_up', info });
  await looked.promise;
  expect(state.vm('DSM').harm).toEqual([]);
});

test('garbage changes nothing', async () => {
  const state = new State({ DSM: emptyVm('DSM', 'DSM') });
  const doctor = createDoctor(config, state, { file: { save: () => {} }, was: {} });
  doctor.look('DSM', 'garbage');
  doctor.hear({ type: 'hypervisor_up', info });
  await new Promise(resolve => setImmediate(resolve));
  expect(state.vm('DSM').harm).toBe(null);
});

/** Looks once at a VM whose disk says that it is this one. */
async function lookOnce(identity: string | null, was: KnownDisks) {
  const state = new State({ DSM: emptyVm('DSM', 'DSM') });
  const saved: KnownDisks[] = [];
  const host = await lookAtHost({ uuid: null, disks: [], pci: [], bridges: [] }, '/nonexistent');
  const disks = new Map([['/dev/sdb', { usedBy: null, byId: null, identity }]]);
  const file = { save: (value: KnownDisks) => saved.push(value) };
  const doctor = createDoctor(config, state, { file, was }, async () => ({ ...host, disks }));
  state.subscribe(event => doctor.hear(event));
  const looked = Promise.withResolvers<void>();
  state.subscribe(event => event.type === 'examined' && looked.resolve());
  doctor.look('DSM', withDisk('/dev/sdb'));
  state.dispatch({ type: 'hypervisor_up', info });
  await looked.promise;
  const codes = state.vm('DSM').harm?.map(({ code }) => code);
  state.dispatch({ type: 'checked', key: 'DSM', check: checkOf('unreachable'), at });
  const early = saved.length;
  state.dispatch({ type: 'checked', key: 'DSM', check: checkOf('up'), at });
  return { codes, early, saved };
}

test('what a disk is, is remembered when DSM is up with it, and a later other one is harm', async () => {
  expect(await lookOnce('a', {})).toEqual({ codes: [], early: 0, saved: [{ DSM: { '/dev/sdb': 'a' } }] });
  expect(await lookOnce('a', { DSM: { '/dev/sdb': 'a' } })).toEqual({ codes: [], early: 0, saved: [] });
  expect((await lookOnce('b', { DSM: { '/dev/sdb': 'a' } })).codes).toEqual(['other_disk']);
  expect(await lookOnce(null, { DSM: { '/dev/sdb': 'a' } })).toEqual({ codes: [], early: 0, saved: [] });
});
