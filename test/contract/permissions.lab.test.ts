/** The permissions that libvirt asks polkit for, call by call, are those of the table. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Connection } from '../../src/libvirt/connection.ts';
import { permissions } from '../../src/libvirt/permissions.ts';
import { type Procedure, procedures } from '../../src/libvirt/procedures.ts';
import { shown } from '../../src/rights/needs.ts';
import { address, guest, inLab, poll } from '../lab/lab.ts';
import { accessControl, configureLibvirtd, dialAs, type Polkit, startPolkit, userOf } from '../lab/polkit.ts';
import { tinyXml } from './tiny-xml.ts';

/** Whoever asks may do all, and it is told. */
const rule = `polkit.addRule(function (action, subject) {
  polkit.log("ASKED " + action.id + ".");
  return polkit.Result.YES;
});
`;

const otherUuid = '11111111-0f0b-4a9e-867b-364706339405';
let polkit: Polkit;
const undo = new AsyncDisposableStack();

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  polkit = await startPolkit();
  undo.use(await configureLibvirtd(accessControl));
  // It ends first: a libvirtd that is just starting does not survive the end of D-Bus.
  undo.use(polkit);
  await polkit.rules('10-dsm2mqtt-test.rules', rule);
});

afterAll(() => undo.disposeAsync());

test('libvirt asks for what the table says', async () => {
  const connection = new Connection(await dialAs(userOf('person'))(AbortSignal.timeout(5_000))).start();
  using _ = connection;
  const questions = async (call: Promise<unknown>) => {
    const from = polkit.log().length;
    await call.catch(() => {});
    // These two are the last that are asked; no call asks for both in this order.
    await connection.call(procedures.connectGetCapabilities, undefined);
    await connection.call(procedures.connectGetType, undefined);
    return poll(() => {
      const asked = [
        ...polkit
          .log()
          .slice(from)
          .matchAll(/ASKED org\.libvirt\.api\.(.*)\.\n/g),
      ].map(([, id]) => id ?? '');
      return asked.slice(-2).join(' ') === 'connect.read connect.getattr' && asked.slice(0, -2);
    });
  };
  await connection.call(procedures.authList, undefined);
  await connection.call(procedures.authPolkit, undefined);
  await connection.call(procedures.connectOpen, { name: 'qemu:///system', flags: 0 });
  for (const [name, call] of Object.entries(harmless(connection))) {
    const needed = permissions[name as keyof ReturnType<typeof harmless>];
    const asked = await questions(call());
    expect([...new Set(asked.filter(each => !shown.test(each)))], name).toEqual(
      needed.filter(each => !shown.test(each)),
    );
    expect(asked, name).toEqual(expect.arrayContaining([...needed]));
  }
});

/** A call of each kind that changes nothing of a domain that is off, and of what libvirt shows. */
function harmless(connection: Connection) {
  const domain = { name: address.domain, uuid: address.uuid, id: -1 };
  const one = { domain, flags: 0 };
  const make =
    <A, R>(procedure: Procedure<A, R>, args: A) =>
    () =>
      connection.call(procedure, args);
  const p = procedures;
  return {
    connectGetType: make(p.connectGetType, undefined),
    connectGetVersion: make(p.connectGetVersion, undefined),
    connectGetHostname: make(p.connectGetHostname, undefined),
    nodeGetCpuStats: make(p.nodeGetCpuStats, { cpu: -1, nparams: 0, flags: 0 }),
    nodeGetMemoryStats: make(p.nodeGetMemoryStats, { nparams: 0, cell: -1, flags: 0 }),
    connectListAllStoragePools: make(p.connectListAllStoragePools, { needResults: 1, flags: 0 }),
    connectListAllDomains: make(p.connectListAllDomains, { needResults: 1, flags: 0 }),
    connectGetAllDomainStats: make(p.connectGetAllDomainStats, { domains: [domain], stats: 1, flags: 0 }),
    domainLookupByName: make(p.domainLookupByName, { name: domain.name }),
    domainLookupByUuid: make(p.domainLookupByUuid, { uuid: domain.uuid }),
    domainGetState: make(p.domainGetState, one),
    domainGetXmlDesc: make(p.domainGetXmlDesc, one),
    'domainGetXmlDesc:secure': make(p.domainGetXmlDesc, { domain, flags: 1 }),
    domainGetAutostart: make(p.domainGetAutostart, { domain }),
    domainIsPersistent: make(p.domainIsPersistent, { domain }),
    domainGetBlockInfo: make(p.domainGetBlockInfo, { domain, path: 'sda', flags: 0 }),
    domainInterfaceAddresses: make(p.domainInterfaceAddresses, { domain, source: 0, flags: 0 }),
    'domainInterfaceAddresses:agent': make(p.domainInterfaceAddresses, { domain, source: 1, flags: 0 }),
    domainEventRegister: make(p.domainEventRegister, { eventId: 0, domain: null }),
    domainSetAutostart: make(p.domainSetAutostart, { domain, autostart: false }),
    domainSetMemoryStatsPeriod: make(p.domainSetMemoryStatsPeriod, { domain, period: 1, flags: 1 }),
    domainShutdownFlags: make(p.domainShutdownFlags, { domain, flags: 1 }),
    'domainShutdownFlags:agent': make(p.domainShutdownFlags, { domain, flags: 2 }),
    domainReboot: make(p.domainReboot, { domain, flags: 1 }),
    'domainReboot:agent': make(p.domainReboot, { domain, flags: 2 }),
    domainReset: make(p.domainReset, one),
    domainDestroyFlags: make(p.domainDestroyFlags, one),
    domainSuspend: make(p.domainSuspend, { domain }),
    domainResume: make(p.domainResume, { domain }),
    domainPmWakeup: make(p.domainPmWakeup, one),
    domainScreenshot: make(p.domainScreenshot, { domain, screen: 0, flags: 0 }),
    domainOpenConsole: make(p.domainOpenConsole, { domain, device: null, flags: 0 }),
    domainSendKey: make(p.domainSendKey, { domain, codeset: 0, holdTime: 0, keys: [1], flags: 0 }),
    domainDefineXmlFlags: make(p.domainDefineXmlFlags, { xml: tinyXml('qemu', domain.name, otherUuid), flags: 0 }),
    storagePoolCreateXml: make(p.storagePoolCreateXml, {
      xml: '<pool type="dir"><name>none</name><target><path>/none/of/this/name</path></target></pool>',
      flags: 0,
    }),
  };
}
