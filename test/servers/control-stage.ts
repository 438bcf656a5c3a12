import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askControl } from '../../src/cli/control.ts';
import { type ControlOptions, controlServer } from '../../src/servers/control.ts';
import type { Server } from '../../src/servers/server.ts';
import { Inbox, recorder } from '../mqtt/inbox.ts';

type Reply = Parameters<ControlOptions['submit']>[2];

interface Asking {
  patience?: number;
  signal?: AbortSignal;
  at?: string;
}

/** A folder with a control socket: the real one, or one that does as it is told. */
export class ControlStage {
  readonly log = recorder();
  readonly submitted = new Inbox<{ vm: string; payload: string; reply: Reply }>();
  readonly folder: string;
  path: string;
  readonly #servers: Pick<Server, 'close'>[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, 'control.sock');
  }

  static async open(): Promise<ControlStage> {
    return new ControlStage(await mkdtemp(join(tmpdir(), 'control-')));
  }

  async start(options: Partial<ControlOptions> = {}): Promise<Server> {
    const submit: ControlOptions['submit'] = (vm, payload, reply) => this.submitted.push({ vm, payload, reply });
    const server = controlServer({ path: this.path, submit, logger: this.log, ...options });
    this.#servers.push(server);
    await server.start();
    return server;
  }

  /** Something else that listens there; `deaf`: nothing of what comes is read. */
  async peer(behave: (socket: Socket) => void, deaf = false): Promise<void> {
    const sockets = new Set<Socket>();
    const server = createServer({ pauseOnConnect: deaf }, socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      behave(socket);
    }).listen(this.path);
    const close = () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    this.#servers.push({ close });
    await once(server, 'listening');
  }

  /** All that is answered. */
  async ask(payload = 'shutdown', { patience = 60_000, at = this.path, signal }: Asking = {}): Promise<object[]> {
    const heard: object[] = [];
    const options = { patience, ...(signal && { signal }) };
    for await (const response of askControl(at, 'DSM', payload, options)) heard.push(response);
    return heard;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
