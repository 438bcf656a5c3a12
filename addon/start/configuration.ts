import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isMap, parseDocument, stringify } from 'yaml';
import * as z from 'zod';
import { writeOwn } from './files.ts';

/**
 * The app's options, or the file that they name, and the broker that the Supervisor knows become the bridge's
 * configuration. https://developers.home-assistant.io/docs/apps/communication#services-api
 */

export interface Surroundings {
  /** Where the Supervisor keeps `options.json`, and the app its own: `/data`. */
  dataDir: string;
  /** The app's configuration folder, which its user sees: `/config`. */
  configDir: string;
  /** `http://supervisor` */
  supervisor: string;
  /** Of the Supervisor's API. */
  token: string;
}

export interface Prepared {
  /** Where libvirt is. */
  uri: string;
  /** The fingerprint that its host's key must have; null: whatever it has at the first connection. */
  hostKey: string | null;
}

/** Why the app cannot start, for people. */
export class Refusal extends Error {}

const optionsSchema = z.object({
  libvirt: z.looseObject({ uri: z.string(), host_key: z.string().nullish() }),
  vms: z.array(z.record(z.string(), z.unknown())),
  config_file: z.string().nullish(),
  log_level: z.string().default('info'),
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

/** The keys of `mqtt`. */
type Broker = Record<string, string>;

/** Writes `config.yaml` into `dataDir`. Throws `Refusal`. */
export async function writeConfiguration(around: Surroundings): Promise<Prepared> {
  const { dataDir, configDir } = around;
  const options = understood(optionsSchema, await read(join(dataDir, 'options.json')), 'options.json');
  const { host_key, ...libvirt } = options.libvirt;
  const made = options.config_file
    ? await fromFile(resolve(configDir, options.config_file), around)
    : {
        uri: libvirt.uri,
        text: stringify({
          mqtt: await askBroker(around),
          libvirt: filled(libvirt),
          vms: options.vms.map(filled),
          data_dir: dataDir,
          log: { level: options.log_level },
        }),
      };
  await writeOwn(join(dataDir, 'config.yaml'), made.text);
  return { uri: made.uri, hostKey: host_key || null };
}

/** The user's own file. Only the broker is filled in, unless it names one; the bridge tells of any mistake in it. */
async function fromFile(file: string, around: Surroundings): Promise<{ uri: string; text: string }> {
  const text = await read(file);
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) return { uri: '', text };
  const mqtt = document.get('mqtt') ?? null;
  const broker = isMap(mqtt) && mqtt.has('url') ? null : await askBroker(around);
  if (mqtt === null) document.set('mqtt', broker);
  else if (isMap(mqtt)) for (const [key, value] of Object.entries(broker ?? {})) mqtt.set(key, value);
  return { uri: `${document.getIn(['libvirt', 'uri']) ?? ''}`, text: document.toString({ lineWidth: 0 }) };
}

async function askBroker({ supervisor, token }: Surroundings): Promise<Broker> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${supervisor}/services/mqtt`, { headers, signal: AbortSignal.timeout(10_000) }).catch(
    (error: Error) => {
      throw new Refusal(`The Supervisor does not answer: ${error.message}`);
    },
  );
  if (!answer.ok) {
    throw new Refusal(
      `The Supervisor knows no broker (HTTP ${answer.status}): install and start the Mosquitto app, or name a broker in config_file`,
    );
  }
  const { data } = understood(serviceSchema, await answer.text(), 'what the Supervisor says of the broker');
  return {
    url: `${data.ssl ? 'mqtts' : 'mqtt'}://${data.host}:${data.port}`,
    ...(data.username && { username: data.username }),
    ...(data.password && { password: data.password }),
  };
}

async function read(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: Error) => {
    throw new Refusal(`${file} cannot be read: ${error.message}`);
  });
}

function understood<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Refusal(`${what} is not as expected: ${why}`);
  }
}

/** What was left empty in the form is not set. */
function filled(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== '' && value !== null));
}
