import { addAbortListener } from 'node:events';
import { cliConnection, failedAt } from '../app/mqtt.ts';
import type { ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { codes } from '../model/codes.ts';
import type { VmKey } from '../model/snapshot.ts';
import { topics as topicsOf, type VmTopics } from '../model/topics.ts';
import { MqttClient } from '../mqtt/client.ts';
import { silent } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';
import { type CommandOptions, commandPayload, findVm } from './command.ts';
import { type ExitCode, exitCode, exitCodeOf, isFinal, Progress, Refusal, type Takes } from './terminal.ts';

export interface SendOptions extends Takes<'vm' | 'json'>, CommandOptions {
  config: Omit<Config, 'hosts'>;
  command: string;
  /** `on` or `off`, of autostart and arm. */
  value?: string | undefined;
  /** For the last answer; else the first one is enough. */
  wait: boolean;
}

/** `dsm2mqtt send`: a command through the broker to the running bridge. Throws `Refusal` before anything is sent. */
export function send(options: SendOptions): Promise<ExitCode> {
  const { config, vm, command, value, wait } = options;
  const { key } = findVm(config, vm);
  const { payload, id } = commandPayload(command, value, options);
  return requestOverMqtt({ config, key, payload, id, wait, shown: new Progress(options) });
}

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

export interface MqttRequestOptions {
  config: Omit<Config, 'hosts'>;
  key: VmKey;
  payload: string;
  id: string;
  wait: boolean;
  shown: Progress;
  /** Another topic of the VM to listen to; gets its messages after the command was accepted. */
  also?: { topic: 'loader'; heard: (text: string) => void };
  /** Ends the waiting, not the command. */
  signal?: AbortSignal;
}

/** Sends the command, shows its answers, and resolves to the exit code. */
export function requestOverMqtt(options: MqttRequestOptions): Promise<ExitCode> {
  return new MqttRequest(options).outcome();
}

/** Milliseconds. `slack`: the deadline is the bridge's, and its response takes a moment more. */
const patience = { connect: 8_000, presence: 3_000, answer: 10_000, slack: 10_000 };

class MqttRequest {
  readonly #options: MqttRequestOptions;
  readonly #topics: VmTopics & { bridge: string };
  readonly #mqtt: MqttClient;
  readonly #end = Promise.withResolvers<{ code: ExitCode; why?: string }>();
  #timer: NodeJS.Timeout | undefined;
  #sent = false;
  #heard = false;

  constructor(options: MqttRequestOptions) {
    const { config, key, also } = options;
    const topics = topicsOf(config.mqtt.baseTopic);
    this.#options = options;
    this.#topics = { ...topics.vm(key), bridge: topics.bridge.state };
    this.#mqtt = new MqttClient({
      ...cliConnection(config),
      subscriptions: [topics.bridge.state, this.#topics.response, ...(also ? [this.#topics[also.topic]] : [])],
      logger: silent,
    });
  }

  async outcome(): Promise<ExitCode> {
    const { config, signal, shown } = this.#options;
    const { baseTopic } = config.mqtt;
    const urls = [config.mqtt.url].flat();
    this.#mqtt.on('connected', () => {
      this.#within(patience.presence, `no bridge has announced itself below ${baseTopic}/ on this broker`);
    });
    this.#mqtt.on('disconnected', ({ message }) => {
      this.#fail(`${failedAt(config.mqtt, message)}${this.#sent ? '; what became of the command is unknown' : ''}`);
    });
    this.#mqtt.on('message', ({ topic, payload }) => this.#hear(topic, payload.toString()));
    this.#within(patience.connect * urls.length, `${urls.join(' or ')} does not answer`);
    this.#mqtt.start();
    using _ = signal && addAbortListener(signal, () => this.#end.resolve({ code: exitCode.interrupted }));
    try {
      const { code, why } = await this.#end.promise;
      if (why !== undefined) shown.note(why);
      return code;
    } finally {
      clearTimeout(this.#timer);
      shown.close();
      await this.#mqtt.close();
    }
  }

  #hear(topic: string, text: string): void {
    const { also, id } = this.#options;
    if (topic === this.#topics.bridge) {
      if (text !== 'online')
        this.#fail(this.#sent ? 'the bridge went away; the outcome is unknown' : 'the bridge is offline');
      else if (!this.#sent) this.#publish();
    } else if (also && topic === this.#topics[also.topic]) {
      if (this.#heard) also.heard(text);
    } else {
      const response = readResponse(text);
      // The broker may have brought the command twice; its first arrival is the one that counts.
      if (response?.id === id && !(this.#heard && response.code === 'duplicate')) this.#take(response);
    }
  }

  #take(response: ResponseDocument): void {
    const { shown, wait } = this.#options;
    this.#heard = true;
    shown.show(response);
    if (isFinal(response)) this.#end.resolve({ code: exitCodeOf(response) });
    else if (!wait) this.#end.resolve({ code: exitCode.succeeded });
    else {
      const left = (response.remaining_ms ?? 0) + patience.slack;
      this.#within(left, 'the bridge has not said what became of it', exitCode.timedOut);
    }
  }

  #publish(): void {
    this.#sent = true;
    this.#within(patience.answer, 'the bridge does not answer; what became of the command is unknown');
    this.#mqtt.publish({
      topic: this.#topics.command,
      payload: this.#options.payload,
      qos: 1,
      retain: false,
      expirySeconds: patience.answer / 1_000,
      settled: taken => {
        if (!taken) this.#fail('the broker did not take the command: may this user publish it?');
      },
    });
  }

  /** In place of the last deadline. */
  #within(milliseconds: number, failure: string, code: ExitCode = exitCode.unreached): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(failure, code), milliseconds);
  }

  /** The bridge or the broker cannot be reached, or is no longer there. */
  #fail(why: string, code: ExitCode = exitCode.unreached): void {
    this.#end.resolve({ code, why });
  }
}

function readResponse(text: string): ResponseDocument | null {
  const body = orNull(() => JSON.parse(text) as ResponseDocument | null);
  return body && Object.hasOwn(codes, body.status) ? body : null;
}
