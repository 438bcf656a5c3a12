/**
 * What the client promises, on any daemon: the fake, libvirt's test driver, QEMU. Everything read is compared with
 * what a witness says.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Libvirt } from '../../src/libvirt/client.ts';
import { type DomainEventName, eventNames } from '../../src/libvirt/events.ts';
import { destroyFlag, shutdownFlag, statsGroup } from '../../src/libvirt/flags.ts';
import type { DomainRef } from '../../src/libvirt/structs.ts';
import { everyParam } from '../libvirt/params.ts';
import { EventLog } from './event-log.ts';
import { type Contract, openSubject } from './subject.ts';

const nowhere = 'ffffffff-ffff-4fff-bfff-ffffffffffff';

export function libvirtContract({ witness, expected, ...contract }: Contract): void {
  const open = (readOnly = false) => openSubject(contract, readOnly);

  describe(contract.name, () => {
    let client: Libvirt;
    let events: EventLog;
    let refused: DomainEventName[];
    let domain: DomainRef;

    beforeAll(async () => {
      client = await open();
      events = new EventLog(client);
      refused = await client.subscribe(eventNames);
    });

    afterAll(() => client.close());

    beforeEach(async () => {
      domain = await client.domainByName(contract.domain);
    });

    async function off(): Promise<void> {
      if (domain.id !== -1) await witness.destroy(domain.name);
      domain = await client.domainByName(domain.name);
      events.clear();
    }

    async function on(): Promise<void> {
      if (domain.id === -1) await witness.start(domain.name);
      domain = await client.domainByName(domain.name);
      events.clear();
    }

    test('the host', async () => {
      const { hostname, libvirt, hypervisor } = await witness.host();
      expect(await client.type()).toBe(expected.type);
      expect(await client.hostname()).toBe(hostname);
      expect(await client.versions()).toEqual({ libvirt, hypervisor });
    });

    test('what it can do, and which interfaces its machine has', async () => {
      expect(await client.capabilities()).toMatch(/^<capabilities>.*<domain type='\w+'/s);
      const { interface: there } = expected;
      if (there !== null) await client.mustHaveInterface(there);
      const none = client.mustHaveInterface('nope0');
      await expect(none).rejects.toMatchObject({ code: there === null ? 3 : 57 });
    });

    test('events: every one is subscribed to, or refused by name', () => {
      expect(refused).toEqual(expected.refusedEvents);
    });

    test('events: a second subscription is refused, and the first goes on', async () => {
      expect(await client.subscribe(['lifecycle'])).toEqual(['lifecycle']);
    });

    test('list and look-ups agree with the witness', async () => {
      const refs = await client.domains();
      expect(refs.map(({ name }) => name).sort()).toEqual((await witness.names()).sort());
      for (const ref of refs) {
        expect(ref).toEqual({ name: ref.name, ...(await witness.identity(ref.name)) });
        expect(await client.domainByName(ref.name)).toEqual(ref);
        expect(await client.domainByUuid(ref.uuid)).toEqual(ref);
      }
    });

    test('the uuid is what counts, whatever the name and id beside it', async () => {
      const stranger = { ...domain, name: 'somebody else', id: 4_711 };
      expect(await client.state(stranger)).toEqual(await client.state(domain));
      expect(await client.xml(stranger)).toBe(await client.xml(domain));
    });

    test('what is not there is code 42, wherever it is asked of', async () => {
      const missing = { name: 'nope', uuid: nowhere, id: -1 };
      await expect(client.domainByName('nope')).rejects.toMatchObject({ name: 'LibvirtError', code: 42 });
      await expect(client.domainByUuid(nowhere)).rejects.toMatchObject({ code: 42 });
      await expect(client.state(missing)).rejects.toMatchObject({ code: 42 });
      await expect(client.start(missing)).rejects.toMatchObject({ code: 42 });
    });

    describe('while it is off', () => {
      beforeEach(off);

      test('state, XML, autostart, persistence', async () => {
        await agree(domain);
        expect((await client.state(domain)).state).toBe(5);
        expect(await client.xml(domain)).toBe(await witness.xml(domain.name, { inactive: true }));
      });

      test('statistics are there, and are not to be believed', async () => {
        const [record] = await client.stats([domain], 0, everyParam);
        expect(record?.domain).toEqual(domain);
        expect(parameters(record)['state.state']).toBe(5);
        expect(parameters(record)).not.toHaveProperty(['net.count']);
      });

      test('what needs it running is refused', async () => {
        const { wrongState: code } = expected;
        await expect(client.shutdown(domain, expected.shutdownFlag)).rejects.toMatchObject({ code });
        await expect(client.destroy(domain, destroyFlag.graceful)).rejects.toMatchObject({ code: 55 });
        await expect(client.setMemoryStatsPeriod(domain, 1)).rejects.toMatchObject({ code: 55 });
      });

      test('its addresses are what the witness says, or are refused', async () => {
        const leases = await witness.leases(domain.name);
        const answer = client.interfaceAddresses(domain, 'lease');
        if (leases) expect(await answer).toEqual(leases);
        else await expect(answer).rejects.toMatchObject({ code: 55 });
      });

      test.runIf(expected.disk)('block info', async () => {
        const { target } = expected.disk ?? { target: '' };
        expect(await client.blockInfo(domain, target)).toEqual(await witness.blockInfo(domain.name, target));
      });

      test('it starts, once, and says so', async () => {
        const started = await client.start(domain);
        expect(started).toMatchObject({ name: domain.name, uuid: domain.uuid });
        expect(started.id).toBeGreaterThan(0);
        await expect(client.start(domain)).rejects.toMatchObject({ code: expected.wrongState });
        expect(await events.lifecycleUntil(domain.name, '2:0')).toEqual(expected.started);
        await agree(started);
        expect((await client.state(started)).state).toBe(1);
      });

      test('it is started by somebody else, and we hear of it', async () => {
        await witness.start(domain.name);
        expect(await events.lifecycleUntil(domain.name, '2:0')).toEqual(expected.started);
      });
    });

    describe('while it runs', () => {
      beforeEach(on);

      test('state, XML, autostart, persistence', async () => {
        await agree(domain);
        const [live, inactive] = [await client.xml(domain), await client.xml(domain, { inactive: true })];
        expect(live).toMatch(new RegExp(`<domain [^>]*id='${domain.id}'`));
        expect(inactive).not.toMatch(/<domain [^>]*id=/);
        expect(/<target dev='vnet\d+'\/>/.test(live)).toBe(expected.taps);
        expect(inactive).not.toMatch(/<target dev='vnet\d+'\/>/);
      });

      test('statistics: the same keys, the same numbers or numbers between', async () => {
        const before = await witness.stats(domain.name);
        const [record] = await client.stats([domain], everyGroup(), everyParam);
        const after = await witness.stats(domain.name);
        const ours = parameters(record);
        expect(Object.keys(ours).length > 2).toBe(expected.stats);
        expect(Object.keys(ours).sort()).toEqual(Object.keys(after).sort());
        for (const [key, value] of Object.entries(ours)) {
          const [low, high] = [before[key] ?? value, after[key] ?? value];
          if (typeof value !== 'number' || typeof low !== 'number' || typeof high !== 'number')
            expect(value).toBe(high);
          else {
            expect(value, key).toBeGreaterThanOrEqual(Math.min(low, high) * 0.9);
            expect(value, key).toBeLessThanOrEqual(Math.max(low, high) * 1.1);
          }
        }
      });

      test('statistics of all domains at once, and of one group', async () => {
        const everyone = await client.stats([], statsGroup.state, everyParam);
        expect(everyone.map(record => record.domain.name).sort()).toEqual((await witness.names()).sort());
        const mine = everyone.find(record => record.domain.uuid === domain.uuid);
        expect(Object.keys(parameters(mine))).toEqual(['state.state', 'state.reason']);
        expect(parameters(mine)['state.state']).toBe(1);
      });

      test('its addresses, by lease and by agent', async () => {
        const leases = await witness.leases(domain.name);
        expect(leases).not.toBeNull();
        expect(await client.interfaceAddresses(domain, 'lease')).toEqual(leases);
        const agents = client.interfaceAddresses(domain, 'agent');
        const { noAgentAddresses: code } = expected;
        if (code === null) expect(await agents).toEqual(leases);
        else await expect(agents).rejects.toMatchObject({ code });
      });

      test.runIf(expected.disk)('block info, by target and by source', async () => {
        const { target, source } = expected.disk ?? { target: '', source: '' };
        const info = await client.blockInfo(domain, target);
        expect(info).toEqual(await witness.blockInfo(domain.name, target));
        expect(await client.blockInfo(domain, source)).toEqual(info);
        await expect(client.blockInfo(domain, 'nope')).rejects.toMatchObject({ code: 8 });
      });

      test('the memory period', async () => {
        await client.setMemoryStatsPeriod(domain, 2);
        expect(await client.xml(domain)).toContain("<stats period='2'/>");
        await client.setMemoryStatsPeriod(domain, 0);
      });

      test('on the read-only socket all is read and nothing is written', async () => {
        await using reader = await open(true);
        const told = new EventLog(reader);
        expect(await reader.subscribe(['lifecycle'])).toEqual([]);
        expect(await reader.domainByName(domain.name)).toEqual(domain);
        expect(await reader.state(domain)).toEqual(await client.state(domain));
        expect(await reader.xml(domain)).toBe(await client.xml(domain));
        expect(parameters((await reader.stats([domain], everyGroup(), everyParam))[0])).toHaveProperty(['state.state']);
        expect(await reader.interfaceAddresses(domain, 'lease')).toEqual(await witness.leases(domain.name));
        const writes: Record<string, () => Promise<unknown>> = {
          agent: () => reader.interfaceAddresses(domain, 'agent'),
          start: () => reader.start(domain),
          shutdown: () => reader.shutdown(domain, shutdownFlag.hypervisor),
          destroy: () => reader.destroy(domain, destroyFlag.graceful),
          period: () => reader.setMemoryStatsPeriod(domain, 1),
        };
        for (const [name, write] of Object.entries(writes)) {
          await expect(write(), name).rejects.toMatchObject({ code: 29 });
        }
        await witness.destroy(domain.name);
        await told.lifecycleUntil(domain.name, '5:1');
      });

      test('no agent, no shutdown by it', async () => {
        await expect(client.shutdown(domain, shutdownFlag.agent)).rejects.toMatchObject({ code: expected.noAgent });
      });

      test('the plug is pulled gracefully, and all is told', async () => {
        await client.destroy(domain, destroyFlag.graceful);
        expect(await events.lifecycleUntil(domain.name, '5:1')).toEqual(expected.destroyed);
        expect(await client.state(domain)).toEqual(await witness.state(domain.name));
        expect(await client.domainByUuid(domain.uuid)).toMatchObject({ id: -1 });
      });

      test('the guest turns itself off when asked', async () => {
        await contract.guestReady();
        await client.shutdown(domain, expected.shutdownFlag);
        expect(await events.lifecycleUntil(domain.name, '5:0')).toEqual(expected.poweredOff);
        expect(await client.state(domain)).toEqual({ state: 5, reason: 1 });
        expect(await witness.state(domain.name)).toEqual({ state: 5, reason: 1 });
      });
    });

    test.each(['DSM two', 'a.b+c#d~', 'Größe-名前-🖴', 'it\'s <&> "quoted"', 'n'.repeat(200), ...contract.names])(
      'the name %j makes the round trip',
      async name => {
        const uuid = '00000000-0000-4000-8000-00000000ab1e';
        await witness.define(contract.xml(name, uuid));
        try {
          expect(await events.lifecycleUntil(name, '0:0')).toEqual(['0:0']);
          expect(await client.domainByName(name)).toEqual({ name, uuid, id: -1 });
          expect(await client.domains()).toContainEqual({ name, uuid, id: -1 });
          const [record] = await client.stats([{ name, uuid, id: -1 }], statsGroup.state, everyParam);
          expect(record?.domain.name).toBe(name);
        } finally {
          await witness.undefine(name);
        }
        expect(await events.lifecycleUntil(name, '1:0')).toEqual(['0:0', '1:0']);
        await expect(client.domainByName(name)).rejects.toMatchObject({ code: 42 });
      },
    );

    describe('definitions', () => {
      const [name, uuid] = ['defined', '00000000-0000-4000-8000-00000000ab2e'];
      const other = '00000000-0000-4000-8000-00000000ab3e';

      afterEach(() => witness.undefine(name).catch(() => {}));

      test('a new one is there, and one with both its name and its UUID replaces it', async () => {
        expect(await client.define(contract.xml(name, uuid))).toEqual({ name, uuid, id: -1 });
        expect((await witness.info(name)).persistent).toBe(true);
        await client.define(contract.xml(name, uuid).replace('<vcpu>1<', '<vcpu>2<'));
        expect(await witness.xml(name, { inactive: true })).toMatch(/<vcpu[^>]*>2</);
      });

      test('one with only its name or only its UUID is refused: 9', async () => {
        await client.define(contract.xml(name, uuid));
        await expect(client.define(contract.xml(name, other))).rejects.toMatchObject({ code: 9 });
        await expect(client.define(contract.xml('another', uuid))).rejects.toMatchObject({ code: 9 });
        expect(await witness.identity(name)).toEqual({ uuid, id: -1 });
        expect(await witness.names()).not.toContain('another');
      });

      test('what the schema does not know is refused: 92', async () => {
        const strange = contract.xml(name, uuid).replace('<vcpu>', '<nonsense/><vcpu>');
        await expect(client.define(strange)).rejects.toMatchObject({ code: 92 });
        expect(await witness.names()).not.toContain(name);
      });

      test('a password of its graphics is told only if that is asked for, and on the read-only socket never', async () => {
        const graphics = "<devices><graphics type='vnc' passwd='a&lt;b'/></devices></domain>";
        const ref = await client.define(contract.xml(name, uuid).replace('</domain>', graphics));
        for (const inactive of [true, false]) {
          expect(await client.xml(ref, { inactive })).not.toContain('passwd');
          expect(await client.xml(ref, { inactive, secure: true })).toMatch(
            /<graphics type='vnc'[^>]* passwd='a&lt;b'/,
          );
        }
        await using reader = await open(true);
        await expect(reader.xml(ref, { secure: true })).rejects.toMatchObject({ code: 29 });
      });

      test('a new one of a domain that runs is told with an event, and counts from the next start', async () => {
        await on();
        const before = await witness.xml(domain.name, { inactive: true });
        try {
          await client.define(before.replace('</uuid>', '</uuid><title>new</title>'));
          expect(await client.xml(domain, { inactive: true })).toContain('<title>new</title>');
          expect(await client.xml(domain)).not.toContain('<title>');
          expect(await events.lifecycleUntil(domain.name, '0:1')).toEqual(['0:1']);
        } finally {
          await client.define(before);
        }
      });

      test('on the read-only socket nothing is defined', async () => {
        await using reader = await open(true);
        await expect(reader.define(contract.xml(name, uuid))).rejects.toMatchObject({ code: 29 });
      });
    });

    /** Everything read of one domain is what the witness says. */
    async function agree(ref: DomainRef): Promise<void> {
      const { persistent, autostart } = await witness.info(ref.name);
      expect(await client.state(ref)).toEqual(await witness.state(ref.name));
      expect(await client.persistent(ref)).toBe(persistent);
      expect(await client.autostart(ref)).toBe(autostart);
      expect(await client.xml(ref)).toBe(await witness.xml(ref.name));
      expect(await client.xml(ref, { inactive: true })).toBe(await witness.xml(ref.name, { inactive: true }));
    }
  });
}

function everyGroup(): number {
  return Object.values(statsGroup).reduce((all, bit) => all | bit, 0);
}

function parameters(record: { params: { field: string; value: unknown }[] } | undefined): Record<string, unknown> {
  return Object.fromEntries((record?.params ?? []).map(({ field, value }) => [field, value]));
}
