/** What the client promises of a guest's console, on any daemon that has one. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { Connection } from '../../src/libvirt/connection.ts';
import { shakeHands } from '../../src/libvirt/handshake.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { ReadStream } from '../../src/libvirt/stream.ts';
import type { DomainRef } from '../../src/libvirt/structs.ts';
import { type Dialer, unixDialer } from '../../src/libvirt/transport.ts';
import type { LibvirtUri } from '../../src/libvirt/uri.ts';

export interface ConsoleContract {
  name: string;
  uri: LibvirtUri;
  dial?: Dialer;
  domain: string;
  /** The guest runs, its console is a pty, and it writes a line there. */
  start(): Promise<void>;
  write(line: string): Promise<void>;
  stop(): Promise<void>;
  daemon: { kill(): Promise<void>; start(): Promise<void> };
}

const force = 1;
const within = { timeout: 60_000 };

export function consoleContract({ name, uri, domain: domainName, ...contract }: ConsoleContract): void {
  const dial = contract.dial ?? unixDialer(uri.sockets);

  describe(name, () => {
    let client: Libvirt;
    let domain: DomainRef;

    beforeAll(async () => {
      await contract.start();
      client = await Libvirt.open({ uri, dial });
      domain = await client.domainByName(domainName);
    });
    afterAll(() => client?.close());

    test('what the guest writes comes, and the place is free again once it is given up', async () => {
      for (let round = 0; round < 2; round++) {
        const reading = await patientRead();
        reading.stop();
        await expect(reading.ended).rejects.toThrow('stop');
        expect((await client.state(domain)).state).toBe(1);
      }
    });

    test('a console that somebody has is refused, and not disturbed', async () => {
      const other = await somebody(0);
      await heard(other, 'first come');
      await expect(read(client).ended).rejects.toMatchObject({ name: 'LibvirtError', code: 9 });
      await heard(other, 'first served');
      other.stop();
      await other.ended.catch(() => {});
    });

    test('taken away, the stream ends', async () => {
      const reading = await patientRead();
      const other = await somebody(force);
      await expect(reading.ended.then(() => 'ended')).resolves.toBe('ended');
      await heard(other, 'theirs');
      other.stop();
      await other.ended.catch(() => {});
    });

    test('a daemon that dies ends it, and the guest’s console can be read again', async () => {
      const reading = await patientRead();
      await contract.daemon.kill();
      await expect(reading.ended).rejects.toMatchObject({ name: 'ConnectionLost' });
      await contract.daemon.start();
      client = await Libvirt.open({ uri, dial });
      const again = await patientRead();
      again.stop();
      await again.ended.catch(() => {});
    });

    test('a guest that stops ends it; then there is none', async () => {
      const reading = await patientRead();
      await contract.stop();
      await expect(reading.ended.then(() => 'ended')).resolves.toBe('ended');
      await expect(read(client).ended).rejects.toMatchObject({ code: 55 });
    });

    interface Reading {
      text(): string;
      ended: Promise<unknown>;
      stop(): void;
    }

    function read(by: Libvirt): Reading {
      let text = '';
      const { signal, abort } = controller();
      const hear = (bytes: Buffer) => {
        text += bytes.toString('latin1');
      };
      const ended = by.console(domain, hear, { ...within, signal });
      ended.catch(() => {});
      return { text: () => text, ended, stop: abort };
    }

    /** Something has come. Whoever had it before may not have left yet. */
    async function patientRead(): Promise<Reading> {
      for (;;) {
        const reading = read(client);
        let refusal: unknown;
        reading.ended.catch(error => {
          refusal = error;
        });
        const come = async () => {
          if (!refusal) await contract.write('a line');
          return refusal ? 'refused' : reading.text();
        };
        await expect.poll(come, within).toMatch(/a line|refused/);
        if (!refusal) return reading;
        expect(refusal).toMatchObject({ code: 9 });
      }
    }

    /** Another client of libvirt, as `virsh console` is, with and without `--force`. */
    async function somebody(flags: number): Promise<Reading> {
      const connection = new Connection(await dial(AbortSignal.timeout(5_000))).start();
      await shakeHands(connection, { name: uri.name, readOnly: false }, {});
      let text = '';
      const { signal, abort } = controller();
      const data = (bytes: Buffer) => {
        text += bytes.toString('latin1');
      };
      const args = { domain, device: null, flags };
      const stream = (wire: ConstructorParameters<typeof ReadStream>[1]) =>
        new ReadStream({ data, hole: () => {} }, wire);
      const ended = connection.call(procedures.domainOpenConsole, args, { ...within, signal }, stream);
      const closed = ended.finally(() => connection.close());
      closed.catch(() => {});
      return { text: () => text, ended: closed, stop: abort };
    }

    function controller() {
      const own = new AbortController();
      return { signal: own.signal, abort: () => own.abort(new Error('stop')) };
    }

    /** Writes until it comes: what is written before somebody reads is lost. */
    async function heard(reading: Reading, line: string): Promise<void> {
      const come = async () => {
        await contract.write(line);
        return reading.text();
      };
      await expect.poll(come, { timeout: 60_000, interval: 50 }).toContain(line);
    }
  });
}
