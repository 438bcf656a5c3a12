import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { quote } from '../../../src/ssh/quote.ts';
import { guestFolder } from './image.ts';

/** Programs in a folder that do what they do in this process: it gets their name, arguments and folder, and answers. */

export interface Call {
  name: string;
  args: readonly string[];
  /** Where it was called. */
  cwd: string;
}

/** Exit status and output; null: it never ends. */
export type Answer = { status: number; text?: string | Buffer } | null;

const loopback = '127.0.0.1';

export async function makePrograms(
  folder: string,
  names: readonly string[],
  answer: (call: Call) => Answer | Promise<Answer>,
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    let said = '';
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const call = parse(said);
      if (call) void reply(socket, call, answer);
    });
  });
  server.listen(0, loopback);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const name of names) {
    const script = `#!/bin/sh\nexec ${quote(`${guestFolder}/call`)} ${port} ${name} "$@"\n`;
    await writeFile(join(folder, name), script, { mode: 0o755 });
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** How many arguments, the folder, the name, the arguments, each with a NUL behind it; null: not all is there yet. */
function parse(said: string): Call | null {
  const words = said.split('\0').slice(0, -1);
  const [count, cwd = '', name = '', ...args] = words;
  return count !== undefined && words.length >= Number(count) + 3 ? { name, args, cwd } : null;
}

async function reply(socket: Socket, call: Call, answer: (call: Call) => Answer | Promise<Answer>): Promise<void> {
  try {
    const given = await answer(call);
    if (given) socket.end(Buffer.concat([Buffer.from(`${given.status}\n`), Buffer.from(given.text ?? '')]));
  } catch (error) {
    socket.end(`1\n${call.name}: ${(error as Error).message}\n`);
  }
}
