/** What the client promises when the daemon dies, stops in its tracks, or has a QEMU that hangs. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Libvirt, type LibvirtOptions } from '../../src/libvirt/client.ts';
import { Connection, type ConnectionOptions } from '../../src/libvirt/connection.ts';
import { ConnectError, ConnectionLost, TimeoutError } from '../../src/libvirt/errors.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { type DomainRef, domainRef } from '../../src/libvirt/structs.ts';
import { type Dialer, unixDialer } from '../../src/libvirt/transport.ts';
import type { LibvirtUri } from '../../src/libvirt/uri.ts';
import { none, string, struct, uhyper, uint } from '../../src/libvirt/xdr.ts';
import { everyParam } from '../libvirt/params.ts';
import { EventLog } from './event-log.ts';
import type { Witness } from './witness.ts';

export interface DaemonContract {
  name: string;
  uri: LibvirtUri;
  dial?: Dialer;
  witness: Witness;
  domain: string;
  daemon: { kill(): Promise<void>; start(): Promise<void>; freeze(): void; thaw(): void };
  /** Whether its XML, even the inactive one, waits for a call that is stuck in QEMU. */
  xmlWaits: boolean;
  /** The domain's QEMU, stopped in its tracks and let go. */
  qemu: { hang(): void; unhang(): void };
}

export function libvirtDaemonContract({ name, uri, witness, domain: domainName, ...contract }: DaemonContract): void {
  const dial = contract.dial ?? unixDialer(uri.sockets);
  const open = (options: Partial<LibvirtOptions> = {}) => Libvirt.open({ uri, dial, ...options });

  describe(name, () => {
    let domain: DomainRef;

    beforeEach(async () => {
      const { id } = await witness.identity(domainName);
      if (id === -1) await witness.start(domainName);
      domain = { name: domainName, ...(await witness.identity(domainName)) };
    });

    afterEach(async () => {
      await contract.daemon.start();
    });

    test('killed: calls under way are lost, later ones never sent, and it is told once', async () => {
      const client = await open();
      const closed = new Promise<Error | null>(resolve => client.onClosed(resolve));
      contract.daemon.freeze();
      const underWay = expect(client.state(domain)).rejects.toSatisfy(lost({ sent: true }));
      await contract.daemon.kill();
      await underWay;
      expect(await closed).toBeInstanceOf(ConnectionLost);
      await expect(client.state(domain)).rejects.toSatisfy(lost({ sent: false }));
      await expect(open()).rejects.toThrow(ConnectError);
      await client.close();
    });

    test('started again: the domain has run on, and events need a new subscription', async () => {
      {
        const client = await open();
        const closed = new Promise(resolve => client.onClosed(resolve));
        await client.subscribe(['lifecycle']);
        await contract.daemon.kill();
        await closed;
      }
      await contract.daemon.start();
      await using client = await open();
      const events = new EventLog(client);
      expect(await client.subscribe(['lifecycle'])).toEqual([]);
      expect(await client.domainByName(domain.name)).toEqual(domain);
      expect((await client.state(domain)).state).toBe(1);
      // Waits until the daemon has its QEMU again: 12.8 stumbles over a destroy meanwhile, and calls it code 55.
      await client.blockInfo(domain, 'sda');
      await witness.destroy(domain.name);
      await events.lifecycleUntil(domain.name, '5:1');
    });

    test('frozen: a silent daemon is given up', async () => {
      const client = await open({ keepalive: { interval: 50, count: 2 } });
      const closed = new Promise<Error | null>(resolve => client.onClosed(resolve));
      contract.daemon.freeze();
      try {
        const state = client.state(domain);
        await expect(state).rejects.toSatisfy(lost({ sent: true }));
        expect(String(await closed)).toContain('keepalive');
        await expect(open({ openTimeout: 100 })).rejects.toThrow(ConnectError);
      } finally {
        contract.daemon.thaw();
      }
    });

    test('frozen for a moment: the call times out, its late reply is nobody’s, the connection lives', async () => {
      await using client = await open();
      contract.daemon.freeze();
      const state = client.state(domain, { timeout: 50 });
      await expect(state).rejects.toMatchObject({ name: 'TimeoutError', sent: true });
      contract.daemon.thaw();
      expect((await client.state(domain)).state).toBe(1);
    });

    describe('nonsense', () => {
      test('a procedure that is not there is code 39, and the connection lives', async () => {
        using connection = await raw();
        const call = connection.call({ name: 'invented', number: 99_999, args: none, reply: none }, undefined);
        await expect(call).rejects.toMatchObject({ code: 39 });
        expect((await connection.call(procedures.domainGetState, { domain, flags: 0 })).state).toBe(1);
      });

      test('arguments of another shape are code 39', async () => {
        using connection = await raw();
        const short = { ...procedures.domainGetState, args: none };
        await expect(connection.call(short, undefined)).rejects.toMatchObject({ code: 39 });
      });

      test('arguments with something behind them are taken', async () => {
        using connection = await raw();
        const args = struct({ domain: domainRef, flags: uint, more: uhyper });
        const long = { ...procedures.domainGetState, args };
        expect((await connection.call(long, { domain, flags: 0, more: 1 })).state).toBe(1);
      });

      test('a string above 4 MiB is code 39', async () => {
        using connection = await raw();
        const lookUp = { ...procedures.domainLookupByName, args: struct({ name: string(8 * 1024 ** 2) }) };
        const name = 'n'.repeat(5 * 1024 ** 2);
        await expect(connection.call(lookUp, { name })).rejects.toMatchObject({ code: 39 });
      });

      test.each([0, 32 * 1024 ** 2 + 5, 2 ** 31])('a length of %i costs the connection', async length => {
        const stream = await dial(AbortSignal.timeout(1_000));
        const closed = new Promise(resolve => stream.once('close', resolve));
        stream.on('error', () => {});
        stream.resume();
        const word = Buffer.alloc(4);
        word.writeUInt32BE(length);
        stream.write(word);
        await closed;
      });
    });

    describe('with a QEMU that hangs', () => {
      beforeEach(() => contract.qemu.hang());
      afterEach(async () => {
        contract.qemu.unhang();
        if ((await witness.identity(domainName)).id !== -1) await witness.destroy(domainName);
      });

      test('the first to ask for statistics is stuck, the next are not, and state is always known', async () => {
        await using client = await open();
        await expect(client.stats([], 0, everyParam, { timeout: 1_000 })).rejects.toThrow(TimeoutError);
        const keys = async () => {
          const records = await client.stats([], 0, everyParam);
          return records.find(record => record.domain.uuid === domain.uuid)?.params.map(({ field }) => field);
        };
        expect(await keys()).toContain('net.0.rx.bytes');
        expect(await keys()).not.toContain('block.0.rd.bytes');
        expect((await client.state(domain)).state).toBe(1);
        for (const inactive of [false, true]) {
          const xml = client.xml(domain, { inactive, timeout: 500 });
          if (contract.xmlWaits) await expect(xml).rejects.toThrow(TimeoutError);
          else expect(await xml).toContain('<domain ');
        }
        contract.qemu.unhang();
        // The stuck call has to end first.
        await expect.poll(keys, { timeout: 10_000 }).toContain('block.0.rd.bytes');
      });

      test('four stuck calls, our limit: the daemon still reads', async () => {
        await using stuck = await stuckCalls(4);
        expect((await stuck.state()).state).toBe(1);
      });

      test('five, the daemon’s limit: not even a ping is answered', async () => {
        await using stuck = await stuckCalls(5);
        await expect(stuck.state()).rejects.toThrow(/keepalive/);
      });

      /** So many calls that wait for QEMU, on a connection that pings and has no limit of its own. */
      async function stuckCalls(count: number) {
        const connection = await raw({ maxInFlight: 10, keepalive: { interval: 100, count: 3 } });
        const calls = Array.from({ length: count }, () =>
          connection.call(procedures.domainGetBlockInfo, { domain, path: 'sda', flags: 0 }).catch(() => {}),
        );
        return {
          state: () => connection.call(procedures.domainGetState, { domain, flags: 0 }),
          [Symbol.asyncDispose]: async () => {
            void connection.close();
            await Promise.all(calls);
          },
        };
      }
    });

    /** A connection that is open, without the client's care. */
    async function raw(options: ConnectionOptions = {}): Promise<Connection> {
      const connection = new Connection(await dial(AbortSignal.timeout(1_000)), options).start();
      await connection.call(procedures.authList, undefined);
      await connection.call(procedures.connectOpen, { name: uri.name, flags: 0 });
      return connection;
    }
  });
}

function lost({ sent }: { sent: boolean }) {
  return (error: unknown) => error instanceof ConnectionLost && error.sent === sent;
}
