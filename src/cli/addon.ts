import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { logLevels } from '../config/config.ts';
import { replaceFile } from '../util/replace-file.ts';
import { exitCode, Refusal } from './outcome.ts';

/**
 * Home Assistant's add-on: its options and the broker that the Supervisor knows become a configuration file.
 * https://developers.home-assistant.io/docs/add-ons/communication#mqtt
 */

export interface AddonOptions {
  /** Where the Supervisor keeps `options.json`: `/data`. */
  dataDir: string;
  /** `http://supervisor` */
  supervisor: string;
  env: Readonly<Record<string, string | undefined>>;
}

const optionsSchema = z.object({
  libvirt: z.record(z.string(), z.unknown()),
  vms: z.array(z.record(z.string(), z.unknown())),
  log_level: z.enum(logLevels).default('info'),
});

const serviceSchema = z.object({
  data: z.object({
    host: z.string(),
    port: z.number(),
    ssl: z.boolean().default(false),
    username: z.string().nullish(),
    password: z.string().nullish(),
  }),
});

/** Writes the configuration, for its owner alone, and returns its path. Throws `Refusal`. */
export async function writeAddonConfig({ dataDir, supervisor, env }: AddonOptions): Promise<string> {
  const file = join(dataDir, 'options.json');
  const text = await readFile(file, 'utf8').catch(cause => {
    throw refusal(`${file} cannot be read: this verb is for Home Assistant's add-on alone`, cause);
  });
  const { libvirt, vms, log_level } = understood(optionsSchema, text, file);
  const broker = await askBroker(supervisor, env['SUPERVISOR_TOKEN']);
  const config = {
    mqtt: {
      url: `${broker.ssl ? 'mqtts' : 'mqtt'}://${broker.host}:${broker.port}`,
      ...(broker.username && { username: broker.username }),
      ...(broker.password && { password: broker.password }),
    },
    // What was left empty in the form is not set.
    libvirt: filled(libvirt),
    vms: vms.map(filled),
    data_dir: dataDir,
    log: { level: log_level },
  };
  const path = join(dataDir, 'config.yaml');
  await replaceFile(path, `# Made from the add-on's options at its start.\n${stringify(config)}`);
  return path;
}

async function askBroker(supervisor: string, token = ''): Promise<z.output<typeof serviceSchema>['data']> {
  const headers = { authorization: `Bearer ${token}` };
  const asking = fetch(`${supervisor}/services/mqtt`, { headers, signal: AbortSignal.timeout(10_000) });
  const answer = await asking.catch((error: Error) => {
    throw refusal(`the Supervisor does not answer: ${error.message}`, error);
  });
  if (!answer.ok) {
    throw refusal(`the Supervisor knows no broker (HTTP ${answer.status}): install and start the Mosquitto add-on`);
  }
  return understood(serviceSchema, await answer.text(), 'what the Supervisor says of the broker').data;
}

function understood<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw refusal(`${what} is not as expected: ${why}`, error);
  }
}

function refusal(message: string, cause?: unknown): Refusal {
  return new Refusal(exitCode.failed, message, { cause });
}

function filled(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== '' && value !== null));
}
