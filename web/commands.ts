import { useState } from 'preact/hooks';
import type { Status } from '../src/model/codes.ts';
import { ask, newId, pathOf, piecesOf, wordsOf } from './api.ts';
import type { Vm } from './model/live.ts';
import { lineCutter, parsed } from './model/stream.ts';

/** Gives commands, and keeps what was answered. */

/** What is read of `B/V/response`. */
interface Response {
  status: Status;
  message: string;
  /** Null: it is the last one. */
  remaining_ms: number | null;
}

export interface Answer {
  id: string;
  word: string;
  status: Status | 'sent' | 'lost';
  message: string;
}

/** So many answers stay. */
const most = 3;

export type Send = (word: string, options?: object) => Promise<void>;

/** What the parts of a VM's page get. */
export interface VmProps {
  name: string;
  vm: Vm;
  connected: boolean;
  send: Send;
}

export function useCommands(key: string): { answers: readonly Answer[]; send: Send } {
  const [answers, show] = useState<readonly Answer[]>([]);
  const send: Send = async (word, options = {}) => {
    const id = newId();
    const tell = (status: Answer['status'], message: string) =>
      show(before => [{ id, word, status, message }, ...before.filter(each => each.id !== id)].slice(0, most));
    tell('sent', 'the bridge has not answered yet');
    let ended = false;
    const hear = (lines: readonly string[]) => {
      for (const response of lines.flatMap(parsed) as Response[]) {
        tell(response.status, response.message);
        ended = response.remaining_ms === null;
      }
    };
    try {
      const response = await ask(pathOf('command', key), { body: { command: word, id, ...options } });
      const cut = lineCutter();
      for await (const piece of piecesOf(response)) hear(cut(piece));
      hear(cut('\n'));
    } catch (error) {
      if (!ended) tell('lost', `${wordsOf(error)} Look at the state before you try again.`);
      return;
    }
    if (!ended) tell('lost', 'The connection ended before the last answer. The bridge goes on; the state tells.');
  };
  return { answers, send };
}
