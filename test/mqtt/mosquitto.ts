import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startMosquitto as start } from '../lab/lab.ts';
import type { Broker, BrokerRules } from './broker.ts';

/** A real Mosquitto, in the lab. */
export async function startMosquitto(rules: BrokerRules = {}): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-rules-'));
  const mosquitto = await start({ config: await configuration(folder, rules) });
  return {
    port: mosquitto.port,
    version: '5.0',
    kill: () => mosquitto.kill(),
    start: () => mosquitto.start(),
    async [Symbol.asyncDispose]() {
      await mosquitto.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function configuration(folder: string, { user, forbidden }: BrokerRules): Promise<string[]> {
  const lines: string[] = [];
  if (user) {
    const file = join(folder, 'passwords');
    await promisify(execFile)('mosquitto_passwd', ['-b', '-c', file, user.name, user.password]);
    lines.push('allow_anonymous false', `password_file ${file}`);
  }
  if (forbidden) {
    // Only this plugin refuses a subscription; an access list grants it and then delivers nothing.
    const [plugin] = globSync('/usr/lib/*/mosquitto_dynamic_security.so');
    const file = join(folder, 'security.json');
    const acls = [{ acltype: 'subscribeLiteral', topic: forbidden, allow: false }];
    const everything = { publishClientSend: true, publishClientReceive: true, subscribe: true, unsubscribe: true };
    const security = {
      defaultACLAccess: everything,
      anonymousGroup: 'everyone',
      groups: [{ groupname: 'everyone', roles: [{ rolename: 'most' }] }],
      roles: [{ rolename: 'most', acls }],
    };
    await writeFile(file, JSON.stringify(security));
    lines.push(`plugin ${plugin}`, `plugin_opt_config_file ${file}`);
  }
  return lines;
}
