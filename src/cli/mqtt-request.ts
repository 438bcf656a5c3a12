import { randomBytes } from 'node:crypto';
import { connection } from '../app/mqtt.ts';
import type { ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { codes } from '../model/codes.ts';
import type { VmKey } from '../model/snapshot.ts';
import { topics as topicsOf } from '../model/topics.ts';
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

/** Resolves to the exit code. */
export async function requestOverMqtt({
  config,
  key,
  payload,
  id,
  wait,
  shown,
  also,
  signal,
}: MqttRequestOptions): Promise<ExitCode> {
  const topics = topicsOf(config.mqtt.baseTopic);
  const mine = topics.vm(key);
  const clientId = `dsm2mqtt-cli-${randomBytes(4).toString('hex')}`;
  const mqtt = new MqttClient({
    ...connection(config.mqtt),
    clientId,
    subscriptions: [topics.bridge.state, mine.response, ...(also ? [mine[also.topic]] : [])],
    logger: silent,
  });
  const { promise, resolve, reject } = Promise.withResolvers<ExitCode>();
  let timer: NodeJS.Timeout | undefined;
  const within = (milliseconds: number, failure: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(failure, milliseconds);
  };
  const unreached = (message: string) => () => reject(new Unreached(message));
  let sent = false;
  let heard = false;

  mqtt.on('connected', () => {
    within(
      patience.presence,
      unreached(`no bridge has announced itself below ${config.mqtt.baseTopic}/ on this broker`),
    );
  });
  mqtt.on('disconnected', ({ message }) => {
    const unknown = sent ? '; what became of the command is unknown' : '';
    reject(new Unreached(`${config.mqtt.url}: ${message}${unknown}`));
  });
  mqtt.on('message', message => {
    const text = message.payload.toString();
    if (message.topic === topics.bridge.state) {
      if (text === 'online' && !sent) publish();
      else if (text !== 'online')
        reject(new Unreached(sent ? 'the bridge went away; the outcome is unknown' : 'the bridge is offline'));
      return;
    }
    if (also && message.topic === mine[also.topic]) {
      if (heard) also.heard(text);
      return;
    }
    const response = readResponse(text);
    // The broker may have brought the command twice; its first arrival is the one that counts.
    if (response?.id !== id || (heard && response.code === 'duplicate')) return;
    heard = true;
    shown.show(response);
    if (isFinal(response)) resolve(exitCodeOf(response));
    else if (!wait) resolve(exitCode.succeeded);
    else
      within((response.remaining_ms ?? 0) + patience.slack, () => {
        shown.note('the bridge has not said what became of it');
        resolve(exitCode.timedOut);
      });
  });
  const publish = () => {
    sent = true;
    within(patience.answer, unreached('the bridge does not answer; what became of the command is unknown'));
    mqtt.publish({
      topic: mine.command,
      payload,
      qos: 1,
      retain: false,
      properties: { expirySeconds: patience.answer / 1_000 },
      settled: taken => {
        if (!taken) reject(new Unreached('the broker did not take the command: may this user publish it?'));
      },
    });
  };

  const leave = () => resolve(exitCode.interrupted);
  signal?.addEventListener('abort', leave, { once: true });
  within(patience.connect, unreached(`${config.mqtt.url} does not answer`));
  mqtt.start();
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Unreached)) throw error;
    shown.note(error.message);
    return exitCode.unreached;
  } finally {
    signal?.removeEventListener('abort', leave);
    clearTimeout(timer);
    shown.close();
    await mqtt.close();
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
