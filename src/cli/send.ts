import type { Config } from '../config/config.ts';
import { requestOverMqtt } from './mqtt-request.ts';
import { Progress, type ProgressOptions } from './progress.ts';
import { type CommandOptions, commandPayload, findVm } from './request.ts';

export interface SendOptions extends ProgressOptions {
  config: Config;
  vm: string;
  word: string;
  /** `on` or `off`, of autostart and arm. */
  value?: string | undefined;
  options: CommandOptions;
  /** For the last word; else the first one is enough. */
  wait: boolean;
}

/** `dsm2mqtt send`: a command through the broker to the running bridge. Throws `UsageError` before anything is sent. */
export function send({ config, vm, word, value, options, wait, ...shown }: SendOptions): Promise<number> {
  const { key } = findVm(config, vm);
  const { payload, id } = commandPayload(word, value, options);
  return requestOverMqtt({ config, key, payload, id, wait, shown: new Progress(shown) });
}
