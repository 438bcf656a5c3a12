import { randomBytes } from 'node:crypto';
import { addAbortListener } from 'node:events';
import { connection } from '../app/mqtt.ts';
import type { ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { codes } from '../model/codes.ts';
import type { VmKey } from '../model/snapshot.ts';
import { topics as topicsOf, type VmTopics } from '../model/topics.ts';
import { MqttClient } from '../mqtt/client.ts';
import { silent } from '../util/logger.ts';
import { type ExitCode, exitCode, exitCodeOf, isFinal } from './outcome.ts';

/** One command to the running bridge, and what it answers. */

export interface MqttRequestOptions {
  config: Config;
  key: VmKey;
  payload: string;
  id: string;
  /** For the last word; else the first one is enough. */
  wait: boolean;
  shown: Shown;
  /** Another topic of the VM that is of interest; told of what comes after the command was accepted. */
  also?: { topic: 'loader'; heard: (text: string) => void };
  /** Ends the waiting, not the command. */
  signal?: AbortSignal;
}

/** Who is told of the answers. */
export interface Shown {
  show(response: ResponseDocument): void;
  note(text: string): void;
  close(): void;
}

/** Milliseconds. `slack`: a deadline is the bridge's, its answer takes a moment more. */
const patience = { connect: 8_000, presence: 3_000, answer: 10_000, slack: 10_000 };

/** The bridge or the broker cannot be reached, or is no longer there. */
class Unreached extends Error {}

/** Sends the command, and waits for its response. Resolves to the exit code. */
export async function requestOverMqtt(options: MqttRequestOptions): Promise<ExitCode> {
  const { signal, shown } = options;
  const request = new MqttRequest(options);
  using _ = signal && addAbortListener(signal, request.leave);
  try {
    return await request.outcome();
  } catch (error) {
    if (!(error instanceof Unreached)) throw error;
    shown.note(error.message);
    return exitCode.unreached;
  } finally {
    shown.close();
    await request.close();
  }
}

class MqttRequest {
  readonly #options: MqttRequestOptions;
  readonly #bridgeState: string;
  readonly #topics: VmTopics;
  readonly #mqtt: MqttClient;
  readonly #outcome = Promise.withResolvers<ExitCode>();
  #timer: NodeJS.Timeout | undefined;
  #sent = false;
  #heard = false;

  constructor(options: MqttRequestOptions) {
    const { config, key, also } = options;
    const topics = topicsOf(config.mqtt.baseTopic);
    this.#options = options;
    this.#bridgeState = topics.bridge.state;
    this.#topics = topics.vm(key);
    this.#mqtt = new MqttClient({
      ...connection(config.mqtt),
      clientId: `dsm2mqtt-cli-${randomBytes(4).toString('hex')}`,
      subscriptions: [topics.bridge.state, this.#topics.response, ...(also ? [this.#topics[also.topic]] : [])],
      logger: silent,
    });
  }

  /** Rejects with `Unreached`. */
  outcome(): Promise<ExitCode> {
    const { url, baseTopic } = this.#options.config.mqtt;
    this.#mqtt.on('connected', () => {
      this.#within(patience.presence, `no bridge has announced itself below ${baseTopic}/ on this broker`);
    });
    this.#mqtt.on('disconnected', ({ message }) => {
      this.#fail(`${url}: ${message}${this.#sent ? '; what became of the command is unknown' : ''}`);
    });
    this.#mqtt.on('message', ({ topic, payload }) => this.#hear(topic, payload.toString()));
    this.#within(patience.connect, `${url} does not answer`);
    this.#mqtt.start();
    return this.#outcome.promise;
  }

  /** Ends the waiting, not the command. */
  readonly leave = (): void => this.#outcome.resolve(exitCode.interrupted);

  close(): Promise<void> {
    clearTimeout(this.#timer);
    return this.#mqtt.close();
  }

  #hear(topic: string, text: string): void {
    const { also, id } = this.#options;
    if (topic === this.#bridgeState) {
      if (text === 'online' && !this.#sent) this.#publish();
      else if (text !== 'online') {
        this.#fail(this.#sent ? 'the bridge went away; the outcome is unknown' : 'the bridge is offline');
      }
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
    if (isFinal(response)) this.#outcome.resolve(exitCodeOf(response));
    else if (!wait) this.#outcome.resolve(exitCode.succeeded);
    else {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => {
          shown.note('the bridge has not said what became of it');
          this.#outcome.resolve(exitCode.timedOut);
        },
        (response.remaining_ms ?? 0) + patience.slack,
      );
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

  #within(milliseconds: number, failure: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(failure), milliseconds);
  }

  #fail(message: string): void {
    this.#outcome.reject(new Unreached(message));
  }
}

function readResponse(text: string): ResponseDocument | null {
  try {
    const body = JSON.parse(text) as ResponseDocument | null;
    return body && Object.hasOwn(codes, body.status) ? body : null;
  } catch {
    return null;
  }
}
