import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lab } from '../lab/lab.ts';
import { freePort } from '../lab/processes.ts';
import type { Broker, BrokerRules } from '../mqtt/broker.ts';
import { BrokerProcess } from './process.ts';

/** RabbitMQ's MQTT plugin, in the lab. Debian bookworm's speaks MQTT 3.1.1 only. */
export async function startRabbitmq(rules: BrokerRules = {}): Promise<Broker> {
  const isOld = lab().release === 'bookworm';
  const server = await BrokerProcess.make('rabbitmq', async ({ folder, port }) => {
    const definitions = join(folder, 'definitions.json');
    await writeFile(definitions, JSON.stringify(definitionsOf(rules)));
    const anonymous = isOld
      ? ['mqtt.default_user = guest', 'mqtt.default_pass = guest', `mqtt.allow_anonymous = ${!rules.user}`]
      : [`anonymous_login_user = ${rules.user ? 'none' : 'guest'}`];
    const lines = [
      'listeners.tcp = none',
      `mqtt.listeners.tcp.default = 127.0.0.1:${port}`,
      `load_definitions = ${definitions}`,
      ...anonymous,
    ];
    await writeFile(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
    await writeFile(join(folder, 'plugins'), '[rabbitmq_mqtt].\n');
    return {
      command: '/usr/lib/rabbitmq/bin/rabbitmq-server',
      args: [],
      ready: 'completed with',
      env: {
        HOME: folder,
        RABBITMQ_NODENAME: `r${port}@localhost`,
        RABBITMQ_DIST_PORT: `${await freePort()}`,
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
        RABBITMQ_MNESIA_BASE: join(folder, 'store'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_PID_FILE: join(folder, 'pid'),
      },
    };
  });
  await server.start();
  return {
    port: server.port,
    version: isOld ? '3.1.1' : '5.0',
    start: () => server.start(),
    differences: ['wildcards get no stored messages', 'hangs up after a refused subscription'],
    kill: () => server.end('SIGKILL'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function definitionsOf({ user = { name: 'guest', password: 'guest' }, forbidden }: BrokerRules) {
  const salt = Buffer.from('salt');
  const hash = createHash('sha256').update(salt).update(user.password).digest();
  const all = { configure: '.*', write: '.*', read: '.*' };
  const read = forbidden ? `^(?!${forbidden.split('/')[0]})` : '.*';
  return {
    users: [{ name: user.name, password_hash: Buffer.concat([salt, hash]).toString('base64'), tags: 'administrator' }],
    vhosts: [{ name: '/' }],
    permissions: [{ user: user.name, vhost: '/', ...all }],
    topic_permissions: [{ user: user.name, vhost: '/', exchange: 'amq.topic', write: '.*', read }],
  };
}
