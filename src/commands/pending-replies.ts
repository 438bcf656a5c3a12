import type { Outcome } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import type { LoaderWord, PowerWord } from '../model/commands.ts';
import type { Ticket } from '../model/job/job.ts';
import type { Replies, Request } from './responder.ts';

export interface PendingReply {
  request: Request;
  command: Command;
}

/** Those who wait for the outcome of a command. Each gets one last word. */
export class PendingReplies {
  readonly #replies: Replies;
  readonly #open = new Map<Ticket, PendingReply>();
  #tickets = 0;

  constructor(replies: Replies) {
    this.#replies = replies;
  }

  open(reply: PendingReply): Ticket {
    this.#tickets += 1;
    this.#open.set(this.#tickets, reply);
    return this.#tickets;
  }

  command(ticket: Ticket | undefined): Command | null {
    return (ticket !== undefined && this.#open.get(ticket)?.command) || null;
  }

  /** `remaining`: milliseconds until it gives up, here and below. */
  accepted(ticket: Ticket, word: PowerWord | LoaderWord, remaining: number): void {
    const reply = this.#open.get(ticket);
    if (reply) this.#replies.accepted(reply.request, word, remaining);
  }

  progress(tickets: readonly Ticket[], code: string, message: string, remaining: number): void {
    for (const ticket of tickets) {
      const reply = this.#open.get(ticket);
      if (reply) this.#replies.progress(reply.request, code, message, remaining);
    }
  }

  end(tickets: readonly Ticket[], outcome: Outcome): void {
    for (const ticket of tickets) {
      const reply = this.#open.get(ticket);
      this.#open.delete(ticket);
      if (reply) this.#replies.ended(reply.request, outcome);
    }
  }

  endAll(outcome: Outcome): void {
    this.end([...this.#open.keys()], outcome);
  }
}
