/** Power beyond on and off, autostart, and the screen: what the client promises, on any daemon. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Libvirt } from '../../src/libvirt/client.ts';
import { destroyFlag, rebootFlag } from '../../src/libvirt/flags.ts';
import type { DomainRef } from '../../src/libvirt/structs.ts';
import { EventLog } from './event-log.ts';
import { type Contract, openSubject } from './subject.ts';

export function libvirtPowerContract({ witness, expected, guest, ...contract }: Contract): void {
  const open = (readOnly = false) => openSubject(contract, readOnly);

  describe(`${contract.name}: power`, () => {
    let client: Libvirt;
    let events: EventLog;
    let domain: DomainRef;

    beforeAll(async () => {
      client = await open();
      events = new EventLog(client);
      await client.subscribe(['lifecycle', 'reboot', 'pmSuspend', 'pmWakeup']);
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

    describe('while it is off', () => {
      beforeEach(off);

      test('what needs it running is refused', async () => {
        const { wrongState: code } = expected;
        await expect(client.suspend(domain)).rejects.toMatchObject({ code });
        await expect(client.resume(domain)).rejects.toMatchObject({ code });
        await expect(client.reset(domain)).rejects.toMatchObject({ code: 55 });
        await expect(client.sendKeys(domain, [28])).rejects.toMatchObject({ code: 55 });
        for (const flags of Object.values(rebootFlag)) {
          await expect(client.reboot(domain, flags)).rejects.toMatchObject({ code: 55 });
        }
        await expect(client.wakeUp(domain)).rejects.toMatchObject({ code: expected.wakeUp[0] });
      });

      test.runIf(expected.screenshotOff)('there is no screenshot', async () => {
        await expect(client.screenshot(domain)).rejects.toMatchObject({ code: expected.screenshotOff });
      });

      test('its autostart is set and taken back, as often as one likes', async () => {
        for (const enabled of [true, true, false, false]) {
          await client.setAutostart(domain, enabled);
          expect(await client.autostart(domain)).toBe(enabled);
          expect((await witness.info(domain.name)).autostart).toBe(enabled);
        }
      });
    });

    describe('while it runs', () => {
      beforeEach(on);

      test('on the read-only socket nothing of it is done, nor is the screen shown', async () => {
        await using reader = await open(true);
        const writes: Record<string, () => Promise<unknown>> = {
          reboot: () => reader.reboot(domain, rebootFlag.acpi),
          suspend: () => reader.suspend(domain),
          resume: () => reader.resume(domain),
          reset: () => reader.reset(domain),
          wakeUp: () => reader.wakeUp(domain),
          autostart: () => reader.setAutostart(domain, true),
          screenshot: () => reader.screenshot(domain),
          sendKeys: () => reader.sendKeys(domain, [28]),
        };
        for (const [name, write] of Object.entries(writes)) {
          await expect(write(), name).rejects.toMatchObject({ code: 29 });
        }
        expect(events.all(domain.name)).toEqual([]);
      });

      test('it is paused and goes on, and says so', async () => {
        await client.suspend(domain);
        expect(await client.state(domain)).toEqual({ state: 3, reason: 1 });
        expect(await witness.state(domain.name)).toEqual({ state: 3, reason: 1 });
        const again = client.suspend(domain);
        if (expected.pausedTwice === null) await again;
        else await expect(again).rejects.toMatchObject({ code: expected.pausedTwice });
        await client.resume(domain);
        expect(await client.state(domain)).toEqual({ state: 1, reason: 5 });
        expect(await witness.state(domain.name)).toEqual({ state: 1, reason: 5 });
        await expect(client.resume(domain)).rejects.toMatchObject({ code: expected.wrongState });
        expect(await events.lifecycleUntil(domain.name, '4:0')).toEqual(['3:0', '4:0']);
      });

      test('a guest that is awake is not woken up', async () => {
        await expect(client.wakeUp(domain)).rejects.toMatchObject({ code: expected.wakeUp[1] });
      });

      test('its keys are pressed, paused or not, whoever may hear them; but some there must be', async () => {
        await client.sendKeys(domain, [102], { hold: 1 });
        await client.suspend(domain);
        await client.sendKeys(domain, Array(16).fill(42), { hold: 1 });
        await client.resume(domain);
        await expect(client.sendKeys(domain, [])).rejects.toMatchObject({ code: 8 });
        await expect(client.sendKeys(domain, Array(17).fill(42))).rejects.toThrow(RangeError);
      });

      test('its screen is seen, whole', async () => {
        const { mime, data } = await client.screenshot(domain);
        expect(mime).toBe('image/png');
        expect(data.subarray(1, 4).toString()).toBe('PNG');
        expect(data.subarray(-8, -4).toString()).toBe('IEND');
      });

      test('its screen is seen while it is paused', async () => {
        await client.suspend(domain);
        expect((await client.screenshot(domain)).data.length).toBeGreaterThan(100);
        await client.resume(domain);
      });

      test('a screenshot larger than wanted is given up, ten times over, and the connection lives', async () => {
        for (let i = 0; i < 10; i++) {
          await expect(client.screenshot(domain, { limit: 10 })).rejects.toMatchObject({ name: 'LimitError' });
        }
        expect((await client.screenshot(domain)).data.length).toBeGreaterThan(100);
      });

      test.runIf(expected.screenshotOff)('of a screen that is not there is none', async () => {
        await expect(client.screenshot(domain, { screen: 1 })).rejects.toMatchObject({ code: 55 });
      });

      test('the reset button: the same QEMU, the same state', async () => {
        await client.reset(domain);
        expect(await client.domainByUuid(domain.uuid)).toEqual(domain);
        expect((await client.state(domain)).state).toBe(1);
        if (expected.reboots) await events.until(domain.name, 'reboot');
        expect(events.lifecycle(domain.name)).toEqual([]);
      });

      test.runIf(expected.reboots)('paused, it is still so after a reset', async () => {
        await client.suspend(domain);
        await client.reset(domain);
        expect((await client.state(domain)).state).toBe(3);
        await client.resume(domain);
      });

      test.runIf(expected.reboots)('the guest restarts when asked, and is never off meanwhile', async () => {
        await contract.guestReady();
        events.clear();
        await client.reboot(domain, rebootFlag.acpi);
        await events.until(domain.name, 'reboot');
        expect(await client.domainByUuid(domain.uuid)).toEqual(domain);
        expect((await client.state(domain)).state).toBe(1);
        await contract.guestReady();
        expect(events.all(domain.name)).toEqual(['reboot']);
      });

      test.runIf(expected.reboots)('paused, it is not shut down, and restarts when it goes on', async () => {
        await contract.guestReady();
        await client.suspend(domain);
        events.clear();
        await expect(client.shutdown(domain, expected.shutdownFlag)).rejects.toMatchObject({ code: 55 });
        await client.reboot(domain, rebootFlag.acpi);
        await client.resume(domain);
        await events.until(domain.name, 'reboot');
        expect(events.all(domain.name)).toEqual(['4:0', 'reboot']);
      });

      test.runIf(expected.reboots)('no agent, no reboot by it', async () => {
        await expect(client.reboot(domain, rebootFlag.agent)).rejects.toMatchObject({ code: expected.noAgent });
      });
    });

    test('without a definition: no autostart, and without a screen no screenshot', async () => {
      const transient = { name: 'passing', uuid: '00000000-0000-4000-8000-00000000ab1f', id: -1 };
      await witness.create(contract.xml(transient.name, transient.uuid));
      try {
        const { transientAutostart: code } = expected;
        const autostart = client.setAutostart(transient, true);
        if (code === null) await autostart;
        else await expect(autostart).rejects.toMatchObject({ code });
        if (expected.screenshotOff) await expect(client.screenshot(transient)).rejects.toMatchObject({ code: 55 });
      } finally {
        await witness.destroy(transient.name);
      }
      await expect(client.domainByUuid(transient.uuid)).rejects.toMatchObject({ code: 42 });
    });

    if (!guest) return;

    describe('after a reboot that the guest did not heed', () => {
      beforeEach(async () => {
        await off();
        guest.beDeaf();
        await on();
        await client.reboot(domain, rebootFlag.acpi);
      });

      test('its own power-off is the reboot', async () => {
        await contract.guestReady();
        events.clear();
        await guest.powerOff();
        await events.until(domain.name, 'reboot');
        expect(events.all(domain.name)).toEqual(['reboot']);
        expect((await client.state(domain)).state).toBe(1);
      });

      test('a shutdown is a shutdown again', async () => {
        await contract.guestReady();
        events.clear();
        await client.shutdown(domain, expected.shutdownFlag);
        expect(await events.lifecycleUntil(domain.name, '5:0')).toEqual(expected.poweredOff);
      });
    });

    describe('while it sleeps', () => {
      beforeEach(async () => {
        await on();
        await contract.guestReady();
        events.clear();
        await guest.sleep();
        await events.lifecycleUntil(domain.name, '7:0');
      });
      // Nothing else here expects a guest that sleeps.
      afterEach(off);

      test('it is woken up, and the power management’s event comes before the lifecycle’s', async () => {
        expect(events.all(domain.name)).toEqual(['pmSuspend', '7:0']);
        expect(await client.state(domain)).toEqual({ state: 7, reason: 0 });
        expect(await witness.state(domain.name)).toEqual({ state: 7, reason: 0 });
        events.clear();
        await client.wakeUp(domain);
        expect(await events.lifecycleUntil(domain.name, '2:4')).toEqual(['2:4']);
        expect(events.all(domain.name)).toEqual(['pmWakeup', '2:4']);
        expect(await client.state(domain)).toEqual({ state: 1, reason: 8 });
        expect(await witness.state(domain.name)).toEqual({ state: 1, reason: 8 });
      });

      test('it is neither paused, nor resumed, nor shut down', async () => {
        await expect(client.shutdown(domain, expected.shutdownFlag)).rejects.toMatchObject({ code: 55 });
        await expect(client.suspend(domain)).rejects.toMatchObject({ code: 55 });
        await expect(client.resume(domain)).rejects.toMatchObject({ code: 55 });
      });

      test('reset it is stranded: neither awake nor to be woken up, and only the plug is left', async () => {
        await client.reset(domain);
        await events.until(domain.name, 'reboot');
        expect(await client.state(domain)).toEqual({ state: 7, reason: 0 });
        await expect(client.wakeUp(domain)).rejects.toMatchObject({ code: 1 });
        await expect(client.resume(domain)).rejects.toMatchObject({ code: 55 });
        await expect(client.shutdown(domain, expected.shutdownFlag)).rejects.toMatchObject({ code: 55 });
        await client.destroy(domain, destroyFlag.graceful);
        domain = await client.domainByUuid(domain.uuid);
        expect(domain.id).toBe(-1);
      });
    });
  });
}
