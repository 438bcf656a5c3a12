import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameStatus,
  frameType,
  remoteProgram,
} from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import { Moments } from './moments.ts';

export interface Called {
  procedure: number;
  /** The request, so that a bare program can send the same. */
  bytes: Buffer;
  /** When it was read here, `performance.now()`. */
  at: number;
}

const { connectGetAllDomainStats } = procedures;
/** Different samples, in turn; after the last one the counters begin anew, as after a boot. */
const samples = 16;
/** Ready answers, by the number of domains: those of a thousand take seconds to make. */
const recorded = new Map<number, readonly Buffer[]>();

/**
 * The tests' libvirtd behind a socket that notes when each call came and each event left. Statistics are answered from
 * ready bytes, so that encoding a hundred domains is in nobody's time. Runs in the benchmark's own process.
 */
export class BenchLibvirtd implements AsyncDisposable {
  readonly fake: FakeLibvirtd;
  readonly called = new Moments<Called>();
  /** When an event was handed to the socket. */
  readonly told = new Moments<number>();
  /** What the connection that listens to events said before it listed the domains. */
  hello: readonly Buffer[] = [];
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #samples: readonly Buffer[] = [];
  #next = 0;

  private constructor(fake: FakeLibvirtd, server: Server, path: string) {
    this.fake = fake;
    this.#server = server;
    this.path = path;
  }

  /** With so many domains `vm-0`, `vm-1`, …, all running. */
  static async listen(folder: string, domains: number): Promise<BenchLibvirtd> {
    const fake = await FakeLibvirtd.listen();
    for (const domain of fake.defineMany(domains)) domain.start();
    const path = join(folder, 'libvirt-sock');
    const server = createServer();
    const daemon = new BenchLibvirtd(fake, server, path);
    daemon.#samples = recorded.get(domains) ?? record(fake);
    recorded.set(domains, daemon.#samples);
    server.on('connection', socket => void daemon.#accept(socket));
    server.listen(path);
    await once(server, 'listening');
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
    await this.fake.close();
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    const fake = await this.fake.dial(AbortSignal.timeout(1_000));
    const upward = new FrameDecoder();
    const said: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      const at = performance.now();
      for (const frame of upward.push(chunk)) {
        const bytes = whole(frame);
        if (frame.procedure === connectGetAllDomainStats.number && this.#allRun())
          socket.write(this.#sample(frame.serial));
        else fake.write(bytes);
        if (frame.procedure === procedures.connectListAllDomains.number) this.hello = said.splice(0);
        else if (this.hello.length === 0) said.push(bytes);
        if (frame.program === remoteProgram.number) this.called.note({ procedure: frame.procedure, bytes, at });
      }
    });
    fake.on('data', (chunk: Buffer) => {
      if (chunk.readInt32BE(16) === frameType.message) this.told.note(performance.now());
      socket.write(chunk);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      fake.destroy();
    });
    fake.on('close', () => socket.destroy());
  }

  /** The ready answers say so. */
  #allRun(): boolean {
    return this.fake.domains.every(domain => domain.state.state === 1);
  }

  #sample(serial: number): Buffer {
    const bytes = Buffer.from(this.#samples[this.#next++ % samples] ?? '');
    bytes.writeUInt32BE(serial, 20);
    return bytes;
  }
}

/** The daemon's answers to the bridge's statistics call, while all domains work. */
function record(fake: FakeLibvirtd): Buffer[] {
  const replies: Buffer[] = [];
  const header = {
    program: remoteProgram.number,
    version: remoteProgram.version,
    procedure: connectGetAllDomainStats.number,
    type: frameType.reply,
    serial: 0,
    status: frameStatus.ok,
  };
  while (replies.length < samples) {
    for (const domain of fake.domains) work(domain);
    const records = fake.domains.map(({ ref, stats, state }) => {
      const params = stats.params(0, { ...state, active: true, monitor: true });
      return { domain: ref, params };
    });
    replies.push(encodeFrame(header, connectGetAllDomainStats.reply, { records }));
  }
  return replies;
}

/** A second of a busy guest, with numbers of the size they have after weeks. */
function work({ stats, hardware }: FakeDomain): void {
  stats.set({ 'balloon.available': 3_900_000, 'balloon.unused': 812_345, 'balloon.usable': 2_345_678 });
  stats.add({ 'cpu.time': 6_300_000_123, 'vcpu.0.time': 500_000_071, 'vcpu.1.time': 400_000_033 });
  hardware.disks.forEach((_, i) => {
    for (const kind of ['rd', 'wr', 'fl']) {
      const prefix = `block.${i}.${kind}`;
      stats.add({ [`${prefix}.reqs`]: 1_237, [`${prefix}.bytes`]: 81_234_944, [`${prefix}.times`]: 3_456_789_012 });
    }
  });
  hardware.macs.forEach((_, i) => {
    for (const way of ['rx', 'tx'])
      stats.add({ [`net.${i}.${way}.bytes`]: 912_345_678, [`net.${i}.${way}.pkts`]: 612_345 });
  });
}

/** A frame's bytes are one piece: the payload is a view of it. */
function whole({ payload }: Frame): Buffer {
  const length = payload.length + 28;
  return Buffer.from(payload.buffer, payload.byteOffset - 28, length);
}
