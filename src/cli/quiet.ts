import { type ExitCode, exitCode, Refusal } from './outcome.ts';
import { type SendOptions, send } from './send.ts';

export interface QuietOptions extends Omit<SendOptions, 'command' | 'value' | 'wait'> {
  /** `for`, `until` or `off`. */
  what: string;
  time?: string | undefined;
}

/** `dsm2mqtt quiet`: the command in plain words. Throws as `send` does. */
export async function quiet({ what, time, ...options }: QuietOptions): Promise<ExitCode> {
  const command = { ...options, command: 'quiet', wait: true };
  if (what === 'off' && time === undefined) return send({ ...command, value: 'off' });
  if ((what === 'for' || what === 'until') && time !== undefined) return send({ ...command, [what]: time });
  throw new Refusal(exitCode.usage, 'Say `for 2h`, `until 2026-11-22T18:00:00Z` or `off`.');
}
