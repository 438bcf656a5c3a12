import { createReadStream } from 'node:fs';
import { runCommand } from '../../ssh/command.ts';
import { type CommandEnd, CommandError, isSshError } from '../../ssh/errors.ts';
import type { SshSession } from '../../ssh/session.ts';
import { inTime } from '../../util/deadline.ts';
import type { Outputs, Step } from '../kinds/adapter.ts';
import { identityWords } from '../kinds/identity.ts';
import { OutcomeReader } from '../kinds/outcome.ts';
import { LoaderFailure } from './failure.ts';
import type { Run } from './run.ts';

/** Runs the loader's own commands one after the other. Each must have worked before the next one begins. */

const mostKept = 262_144;

/**
 * Runs them in the builder; `again` resolves to a session with it after a step that has rebooted it. Resolves to the
 * last session, which is open; the others are closed.
 */
export async function buildSteps(
  run: Run,
  first: SshSession,
  steps: readonly Step[],
  again: () => Promise<SshSession>,
  signal: AbortSignal,
): Promise<SshSession> {
  const { runLog } = run;
  await runLog.remember({ touched: 'building' });
  const outputs = new Map<string, string>();
  const whole = steps.reduce((total, { weight }) => total + weight, 0);
  let session = first;
  let done = 0;
  for (const step of steps) {
    if (step.onlyIf?.holds(outputs) ?? true) {
      const progress = (share: number) => runLog.progress((done + share * step.weight) / whole);
      const said = await runStep(run, session, step, outputs, progress, signal);
      if (step.kept) outputs.set(step.name, said);
      runLog.hide(identityWords(said));
      const objection = step.objection(said, outputs);
      if (objection) throw new LoaderFailure(objection.code, objection.message, objection.advice);
      if (step.reboots) {
        await inTime(session.closed, untilItReboots, null, signal);
        await session.close();
        session = await again();
      }
    } else runLog.say(`left out: ${step.title} (${step.onlyIf?.words ?? ''})`);
    done += step.weight;
    runLog.progress(done / whole);
  }
  return session;
}

/** Milliseconds. */
const untilItReboots = 60_000;

async function runStep(
  { parts: { times }, adapter, runLog }: Run,
  session: SshSession,
  step: Step,
  outputs: Outputs,
  progress: (share: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const input = step.input?.text(outputs) ?? null;
  if (input && 'problem' in input) throw new LoaderFailure(input.problem.code, input.problem.message);
  runLog.step(step.title);
  for (const note of input?.notes ?? []) runLog.say(note);
  runLog.say(`$ ${step.command}`);
  const judge = new OutcomeReader(step, adapter.outputs);
  const told = step.kept ? null : runLog.output();
  let kept = '';
  const onOutput = (piece: string) => {
    judge.take(piece);
    progress(judge.share);
    if (step.kept) kept = (kept + piece).slice(0, mostKept);
    return told?.push(piece);
  };
  const end = await runCommand(session, step.command, {
    ...{ prompts: step.prompts, silence: step.silence, deadline: step.timeout, signal, onOutput },
    promptPatience: times.question,
    ...(input && { stdin: Buffer.from(input.text) }),
    ...(step.file !== null && { stdin: createReadStream(step.file) }),
  })
    .catch(error => {
      if (step.reboots && isSshError(error, 'connection_lost', 'outcome_unknown')) return rebooted;
      throw given(step, judge, error);
    })
    .finally(() => told?.end());
  for (const name of end.answered) {
    const answer = step.prompts.find(prompt => prompt.name === name)?.answer;
    runLog.say(`answered: ${name} → ${answer || 'ENTER'}`);
  }
  const outcome = judge.end(end.status);
  if (!outcome.ok) {
    const { code, message, advice } = outcome;
    const lines = advice === null ? runLog.tail(end.tail) : [];
    const said = lines.length > 0 ? ` It said at last:\n${lines.join('\n')}\n` : '';
    throw new LoaderFailure(code, message + said, advice);
  }
  for (const note of outcome.notes) runLog.say(note);
  return kept;
}

/** The reboot has ended the connection before the command. */
const rebooted: Pick<CommandEnd, 'answered' | 'status' | 'tail'> = { answered: [], status: null, tail: '' };

/** The output of a command that was given up may name a better reason. */
function given({ title }: Step, judge: OutcomeReader, error: unknown): unknown {
  if (!(error instanceof CommandError) || error.code === 'cancelled' || error.prompt) return error;
  const known = judge.end(0);
  if (!known.ok && known.code !== 'not_proven') {
    return new LoaderFailure(known.code, known.message, known.advice, { cause: error });
  }
  error.message = `“${title}”: ${error.message}`;
  return error;
}
