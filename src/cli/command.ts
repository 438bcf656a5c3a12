import { randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { type Command, isInvalid, parseCommand } from '../model/command.ts';
import { commandWords, rowOf } from '../model/commands.ts';
import { instead } from '../util/did-you-mean.ts';
import { exitCode, Refusal } from './terminal.ts';

/** What a command line may say of a command. */
export interface CommandOptions {
  id?: string | undefined;
  by?: string | undefined;
  timeout?: string | undefined;
  onTimeout?: string | undefined;
  method?: string | undefined;
  confirm?: boolean | undefined;
  for?: string | undefined;
  until?: string | undefined;
}

/** A command as the JSON that the bridge takes. Throws `Refusal`, in the bridge's own words. */
export function commandPayload(
  word: string,
  value: string | undefined,
  { id = randomUUID(), by = 'cli', onTimeout: on_timeout, ...options }: CommandOptions,
): { payload: string; command: Command; id: string } {
  const known = commandWords.find(one => one === word);
  const isSwitch = known !== undefined && rowOf(known).options?.includes('enabled');
  if (value !== undefined && (!isSwitch || !['on', 'off'].includes(value))) {
    const fault = isSwitch ? `${word} is on or off, not '${value}'` : `${word} takes no '${value}'`;
    throw new Refusal(exitCode.usage, fault);
  }
  const { timeout, method, confirm, for: duration, until } = options;
  if (isSwitch && (value ?? duration ?? until) === undefined) {
    throw new Refusal(exitCode.usage, `${word} is on or off: say which`);
  }
  const enabled = value === undefined ? undefined : value === 'on';
  const limits = { timeout, on_timeout, for: duration, until };
  const payload = JSON.stringify({ command: word, id, by, ...limits, method, enabled, confirm });
  const command = parseCommand('command', payload);
  if (isInvalid(command)) throw new Refusal(exitCode.usage, command.message);
  return { payload, command, id };
}

/** As `listedVm`; throws `Refusal` if there is none. */
export function findVm({ vms }: Pick<Config, 'vms'>, name: string): Config['vms'][number] {
  const found = listedVm(vms, name);
  if (found) return found;
  const known = vms.map(({ key }) => key);
  throw new Refusal(exitCode.usage, `The configuration has no VM '${name}'. ${instead(name, known)}`);
}

/** By its key, else by its domain or its label. */
export function listedVm(vms: Config['vms'], name: string): Config['vms'][number] | undefined {
  return vms.find(({ key }) => key === name) ?? vms.find(({ domain, label }) => domain === name || label === name);
}

/** As if it were the only one, if one is named. Throws as `findVm` does. */
export function withOne(config: Config, name: string | undefined): Config {
  return name === undefined ? config : { ...config, vms: [findVm(config, name)], templates: [] };
}
