/**
 * A real Home Assistant in a lab made `--with home-assistant`: its process, and its own REST and WebSocket interfaces
 * as the frontend uses them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { patience, poll } from './lab.ts';

const python = '/opt/home-assistant';
/** The port cannot be set in YAML any more; a lab has a network of its own. */
const homeAssistantUrl = 'http://127.0.0.1:8123';
const clientId = `${homeAssistantUrl}/`;
const entryId = '01JD0000000000000000000000';

/** Any JSON, read without ceremony. */
export type Json = ReturnType<typeof JSON.parse>;

export interface HomeAssistantOptions {
  /** Of the broker, on loopback. */
  port: number;
  /** Further lines of configuration.yaml. */
  configuration?: string;
  /** Further files, by their path below the configuration's folder, from where they are. */
  files?: Readonly<Record<string, URL>>;
}

export interface State {
  entity_id: string;
  state: string;
  attributes: Record<string, Json>;
  last_updated: string;
}

/** A record of its log that is more than information. */
export interface LogRecord {
  level: string;
  logger: string;
  text: string;
}

export class HomeAssistant implements AsyncDisposable {
  readonly url = homeAssistantUrl;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #socket: WebSocket | undefined;
  readonly #answers = new Map<number, (message: Json) => void>();
  #next = 1;
  readonly #past: LogRecord[] = [];
  #tokens: { access_token: string; refresh_token: string } = { access_token: '', refresh_token: '' };

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when it has said hello on the broker: a user is made, the MQTT integration is set up. */
  static async start(options: HomeAssistantOptions): Promise<HomeAssistant> {
    if (!existsSync(python)) throw new Error('these tests run in scripts/lab --release forky --with home-assistant');
    const folder = await mkdtemp(join(tmpdir(), 'home-assistant-'));
    const hass = new HomeAssistant(folder);
    try {
      await writeConfiguration(folder, options);
      await hass.#spawn();
      const { auth_code } = await hass.post('/api/onboarding/users', {
        ...{ name: 'Lab', username: 'lab', password: 'lab', client_id: clientId, language: 'en' },
      });
      hass.#tokens = await token({ grant_type: 'authorization_code', code: auth_code });
      for (const step of ['core_config', 'analytics']) await hass.post(`/api/onboarding/${step}`, {});
      await hass.post('/api/onboarding/integration', { client_id: clientId, redirect_uri: clientId });
      await hass.#open();
      return hass;
    } catch (error) {
      await hass[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** As a reboot of its machine: an orderly end, and the same configuration again. */
  async restart(): Promise<void> {
    await this.#end();
    this.#past.push(...(await this.#troubles()));
    await this.#spawn();
    this.#tokens = {
      ...this.#tokens,
      ...(await token({ grant_type: 'refresh_token', refresh_token: this.#tokens.refresh_token })),
    };
    await this.#open();
  }

  /** For the frontend's local storage: a browser with it is logged in. */
  frontendTokens(): Json {
    const expires_in = 1800;
    const expires = Date.now() + expires_in * 1000;
    return { ...this.#tokens, token_type: 'Bearer', expires_in, hassUrl: homeAssistantUrl, clientId, expires };
  }

  /** What its log has above information, tracebacks included; of before its restarts too. */
  async troubles(): Promise<readonly LogRecord[]> {
    return [...this.#past, ...(await this.#troubles())];
  }

  async #troubles(): Promise<LogRecord[]> {
    const log = await readFile(join(this.#folder, 'home-assistant.log'), 'utf8');
    const records = log.split(/^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\S* [A-Z]+ \()/m);
    return records.flatMap(record => {
      const { level = '', logger = '' } =
        /^\S+ \S+ (?<level>[A-Z]+) \(.*?\) \[(?<logger>.*?)\]/.exec(record)?.groups ?? {};
      return ['WARNING', 'ERROR', 'CRITICAL'].includes(level) ? [{ level, logger, text: record.trimEnd() }] : [];
    });
  }

  async get(path: string): Promise<Json> {
    return this.#fetch('GET', path);
  }

  /** Rejects with what it says when it refuses. */
  async post(path: string, body: unknown): Promise<Json> {
    return this.#fetch('POST', path, body);
  }

  /** What an `entity_picture` shows. */
  async picture(path: string): Promise<Buffer> {
    const response = await fetch(`${homeAssistantUrl}${path}`);
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  async states(): Promise<Map<string, State>> {
    const all: State[] = await this.get('/api/states');
    return new Map(all.map(state => [state.entity_id, state]));
  }

  /** The entity's state, once it satisfies; at most `deadline` milliseconds from now. */
  async state(id: string, satisfies: string | ((state: State) => boolean), deadline = patience): Promise<State> {
    const fits = typeof satisfies === 'string' ? (state: State) => state.state === satisfies : satisfies;
    let last = 'it is not there';
    try {
      return await poll(
        async () => {
          const state = (await this.states()).get(id);
          last = state ? `${state.state} ${JSON.stringify(state.attributes)}` : 'it is not there';
          return state && fits(state) && state;
        },
        { deadline, interval: 100, what: `the state of ${id}` },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${last}`, { cause: error });
    }
  }

  /** A service, here called an action, as from the dashboard or an automation. */
  async call(action: string, data: Record<string, unknown> = {}): Promise<void> {
    const [domain, service] = action.split('.');
    const { entity_id, ...rest } = data;
    await this.ask('call_service', {
      domain,
      service,
      service_data: rest,
      ...(entity_id ? { target: { entity_id } } : {}),
    });
  }

  /** A command of the WebSocket interface; resolves to its result, rejects with its refusal. */
  async ask(type: string, more: Record<string, unknown> = {}): Promise<Json> {
    const id = this.#next++;
    const message = await new Promise<Json>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Home Assistant did not answer ${type}`)), patience);
      this.#answers.set(id, answer => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#socket?.send(JSON.stringify({ id, type, ...more }));
    });
    if (!message.success) throw new Error(`${type}: ${message.error.code}: ${message.error.message}`);
    return message.result;
  }

  /** Has the MQTT integration begin anew, as "Reload" in its menu does. */
  async reloadMqtt(): Promise<void> {
    await this.post(`/api/config/config_entries/entry/${entryId}/reload`, {});
  }

  /** A file of its configuration's folder. */
  async write(path: string, text: string): Promise<void> {
    await writeFile(join(this.#folder, path), text);
  }

  async #spawn(): Promise<void> {
    // Nothing is installed while it runs: it has all that it needs, and no network.
    const command = ['--pdeathsig', 'KILL', `${python}/bin/hass`, '--config', this.#folder, '--skip-pip'];
    const child = spawn('setpriv', command, { stdio: 'ignore' });
    this.#child = child;
    this.#exited = once(child, 'exit');
    const serves = async () => {
      if (child.exitCode !== null) throw new Error(`Home Assistant ended with ${child.exitCode}`);
      return (await fetch(`${homeAssistantUrl}/manifest.json`)).ok;
    };
    await poll(serves, { interval: 100, what: 'Home Assistant' });
  }

  async #end(): Promise<void> {
    this.#socket?.close();
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await this.#exited;
    clearTimeout(killer);
  }

  /** Logs in on the WebSocket, and waits until all is started. */
  async #open(): Promise<void> {
    const socket = new WebSocket(`${homeAssistantUrl.replace('http', 'ws')}/api/websocket`);
    this.#socket = socket;
    this.#answers.clear();
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('error', () => reject(new Error('the WebSocket of Home Assistant failed')));
      socket.addEventListener('message', ({ data }) => {
        const message: Json = JSON.parse(String(data));
        if (message.type === 'auth_required') {
          socket.send(JSON.stringify({ type: 'auth', access_token: this.#tokens.access_token }));
        } else if (message.type === 'auth_ok') resolve();
        else if (message.type === 'auth_invalid') reject(new Error(message.message));
        else if (message.type === 'result') this.#answers.get(message.id)?.(message);
      });
    });
    const running = async () => (await this.ask('get_config')).state === 'RUNNING';
    await poll(running, { interval: 100, what: 'the start of Home Assistant' });
  }

  async #fetch(method: string, path: string, body?: unknown): Promise<Json> {
    const response = await fetch(`${homeAssistantUrl}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.#tokens.access_token && { authorization: `Bearer ${this.#tokens.access_token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  }
}

/** Its abbreviations of discovery options, by the part of a message that they are for: the full word of each. */
export async function realAbbreviations(): Promise<Record<string, Record<string, string>>> {
  const [file = ''] = globSync(`${python}/lib/python3*/site-packages/homeassistant/components/mqtt/abbreviations.py`);
  const program = `import json, runpy; it = runpy.run_path("${file}"); print(json.dumps({"options": it["ABBREVIATIONS"],
    "device": it["DEVICE_ABBREVIATIONS"], "origin": it["ORIGIN_ABBREVIATIONS"]}))`;
  const { stdout } = await promisify(execFile)(`${python}/bin/python`, ['-c', program]);
  return JSON.parse(stdout);
}

async function token(grant: Record<string, string>): Promise<Json> {
  const body = new URLSearchParams({ ...grant, client_id: clientId });
  const response = await fetch(`${homeAssistantUrl}/auth/token`, { method: 'POST', body });
  if (!response.ok) throw new Error(`/auth/token: HTTP ${response.status}: ${await response.text()}`);
  return response.json();
}

/** With the MQTT integration as if it had been set up by hand. */
async function writeConfiguration(folder: string, { port, configuration = '', files = {} }: HomeAssistantOptions) {
  await mkdir(join(folder, '.storage'));
  await writeFile(
    join(folder, 'configuration.yaml'),
    `api:\nconfig:\nwebsocket_api:\nhistory:\nautomation: !include automations.yaml\nlogger:\n  default: info\n${configuration}`,
  );
  await writeFile(join(folder, 'automations.yaml'), '[]\n');
  for (const [path, from] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await cp(from, join(folder, path));
  }
  const at = '2026-11-01T00:00:00+00:00';
  const entry = {
    ...{ created_at: at, modified_at: at, domain: 'mqtt', entry_id: entryId, title: 'MQTT', source: 'user' },
    ...{ version: 1, minor_version: 2, data: { broker: '127.0.0.1', port }, options: {}, unique_id: null },
    ...{ disabled_by: null, discovery_keys: {}, subentries: [] },
    ...{ pref_disable_new_entities: false, pref_disable_polling: false },
  };
  await writeFile(
    join(folder, '.storage/core.config_entries'),
    JSON.stringify({ version: 1, minor_version: 5, key: 'core.config_entries', data: { entries: [entry] } }),
  );
}
