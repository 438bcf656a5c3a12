import { useState } from 'preact/hooks';
import type { Status } from '../src/model/codes.ts';
import { ask, messagesOf, wordsOf } from './api.ts';
import type { Action } from './model/actions.ts';
import type { Vm } from './model/live.ts';

/** Gives commands, and keeps what was answered. */

/** What is read of `B/V/response`. */
interface Response {
  status: Status;
  message: string;
  /** Null: it is the last one. */
  remaining_ms: number | null;
}

interface Answer {
  id: string;
  word: string;
  status: Status | 'sent' | 'lost';
  message: string;
}

/** What the parts of a VM's page get. */
export interface VmProps {
  /** Its key. */
  name: string;
  vm: Vm;
  /** Whether the bridge is there, and how often it came back. */
  connected: boolean;
  round: number;
  /** How many events came: with a new one, the record has grown. */
  events: number;
  answers: readonly Answer[];
  send: (word: string, options?: object) => Promise<void>;
  /** Sends it, or asks first. */
  press: (action: Action) => void;
}

/** So many answers stay. */
const most = 3;

export function useCommands(vm: string): Pick<VmProps, 'answers' | 'send'> {
  const [answers, show] = useState<readonly Answer[]>([]);
  const send: VmProps['send'] = async (word, options = {}) => {
    // Delivered twice, it is carried out once.
    const id = `page-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
    const tell = (status: Answer['status'], message: string) =>
      show(before => [{ id, word, status, message }, ...before.filter(each => each.id !== id)].slice(0, most));
    tell('sent', 'the bridge has not answered yet');
    let ended = false;
    let lost = 'The connection ended before the last answer. The bridge goes on; the state tells.';
    try {
      const response = await ask('command', { query: { vm }, body: { command: word, id, ...options } });
      for await (const responses of messagesOf<Response>(response)) {
        for (const { status, message, remaining_ms } of responses) {
          tell(status, message);
          ended = remaining_ms === null;
        }
      }
    } catch (error) {
      lost = `${wordsOf(error)} Look at the state before you try again.`;
    }
    if (!ended) tell('lost', lost);
  };
  return { answers, send };
}
