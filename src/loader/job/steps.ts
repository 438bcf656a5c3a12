import { runCommand } from '../../ssh/command.ts';
import { CommandError } from '../../ssh/errors.ts';
import type { SshSession } from '../../ssh/session.ts';
import type { Judge, Outputs, Step } from '../adapter.ts';
import { LoaderFailure } from './failure.ts';
import type { Run } from './run.ts';

/** Runs the loader's own commands one after the other. Each must have worked before the next one begins. */

const mostKept = 262_144;

export async function buildSteps(
  run: Run,
  session: SshSession,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<void> {
  const { parts, runLog } = run;
  const { adapter } = parts;
  await runLog.remember({ touched: 'building' });
  const outputs = new Map<string, string>();
  const whole = steps.reduce((total, { weight }) => total + weight, 0);
  let done = 0;
  for (const step of steps) {
    if (step.onlyIf?.holds(outputs) ?? true) {
      const said = await runStep(run, session, step, outputs, signal);
      if (step.kept) outputs.set(step.name, said);
      runLog.hide(adapter.secrets(said));
      const objection = step.objection(said);
      if (objection) throw new LoaderFailure(objection.code, objection.message, objection.advice);
    } else runLog.say(`left out: ${step.title} (${step.onlyIf?.words ?? ''})`);
    done += step.weight;
    runLog.progress(done / whole);
  }
}

async function runStep(
  { parts: { adapter, times }, runLog }: Run,
  session: SshSession,
  step: Step,
  outputs: Outputs,
  signal: AbortSignal,
): Promise<string> {
  const input = step.input?.text(outputs) ?? null;
  if (input && 'problem' in input) throw new LoaderFailure(input.problem.code, input.problem.message);
  runLog.step(step.title);
  for (const note of input?.notes ?? []) runLog.say(note);
  runLog.say(`$ ${step.command}`);
  const judge = adapter.judge(step);
  const told = step.kept ? null : runLog.output();
  let kept = '';
  const onOutput = (piece: string) => {
    judge.take(piece);
    if (step.kept) kept = (kept + piece).slice(0, mostKept);
    return told?.push(piece);
  };
  const end = await runCommand(session, step.command, {
    ...{ prompts: step.prompts, silence: step.silence, deadline: step.timeout, signal, onOutput },
    promptPatience: times.question,
    ...(input && { stdin: Buffer.from(input.text) }),
  })
    .catch(error => {
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

/** The output of a command that was given up may name a better reason. */
function given({ title }: Step, judge: Judge, error: unknown): unknown {
  if (!(error instanceof CommandError) || error.code === 'cancelled' || error.prompt) return error;
  const known = judge.end(0);
  if (!known.ok && known.code !== 'not_proven') {
    return new LoaderFailure(known.code, known.message, known.advice, { cause: error });
  }
  error.message = `“${title}”: ${error.message}`;
  return error;
}
