import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../lab/processes.ts';
import type { Broker, BrokerRules } from '../mqtt/broker.ts';
import { BrokerProcess } from './process.ts';

export const ready = 'Server is ready';
/** Of the lab's Debian, or another one. */
export const program = process.env['DSM2MQTT_LAB_NATS'] ?? 'nats-server';

/** A NATS server in its MQTT mode, in the lab. It speaks MQTT 3.1.1 only. */
export async function startNats({ user, forbidden }: BrokerRules = {}): Promise<Broker> {
  const server = await BrokerProcess.make('nats', async ({ folder, port }) => {
    const file = join(folder, 'nats.conf');
    const somebody = user ?? { name: 'anyone', password: 'anyone' };
    const denied = forbidden ? `, permissions: { subscribe: { deny: "${subject(forbidden)}" } }` : '';
    const lines = [
      `authorization { users: [ { user: ${somebody.name}, password: ${somebody.password}${denied} } ] }`,
      ...(user ? [] : ['no_auth_user: anyone']),
    ];
    await writeFile(
      file,
      [...base('one', folder, port), `listen: "127.0.0.1:${await freePort()}"`, ...lines].join('\n'),
    );
    return { command: program, args: ['-c', file], ready };
  });
  await server.start();
  return {
    port: server.port,
    version: '3.1.1',
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function base(name: string, folder: string, port: number, replicas = 1): string[] {
  return [
    `server_name: ${name}`,
    // Each subscription is a consumer: a fleet has more than the usual thousand.
    `jetstream { store_dir: "${join(folder, 'store')}", limits { default_max_consumers: -1 } }`,
    `mqtt { listen: "127.0.0.1:${port}", stream_replicas: ${replicas} }`,
  ];
}

/** NATS has its own words for a topic's parts. */
function subject(filter: string): string {
  return filter.replaceAll('/', '.').replaceAll('+', '*').replaceAll('#', '>');
}
