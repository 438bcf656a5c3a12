/** The files that GitHub shows to those who report or contribute. The rules are those of its form schema. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { verbs } from '../../src/cli/verbs.ts';

const text = z.string().refine(value => value.trim() !== '');
const id = z.string().regex(/^[\w-]+$/);
const validations = z.strictObject({ required: z.boolean() }).optional();
/** GitHub refuses labels that ask for a secret. */
const label = text.refine(value => !/password|secret|token/i.test(value));
const field = { label, description: text.optional() };
const typed = { ...field, placeholder: text.optional(), value: text.optional() };
const distinct = (values: readonly string[]) => new Set(values).size === values.length;
const options = z.array(text).min(1).refine(distinct);

const element = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('markdown'), attributes: z.strictObject({ value: text }) }),
  z.strictObject({ type: z.literal('input'), id, attributes: z.strictObject(typed), validations }),
  z.strictObject({
    type: z.literal('textarea'),
    id,
    attributes: z.strictObject({ ...typed, render: text.optional() }),
    validations,
  }),
  z.strictObject({
    type: z.literal('dropdown'),
    id,
    attributes: z.strictObject({
      ...field,
      multiple: z.boolean().optional(),
      // It is what GitHub itself offers where nothing has to be chosen.
      options: options.refine(values => values.every(value => value.toLowerCase() !== 'none')),
      default: z.int().optional(),
    }),
    validations,
  }),
  z.strictObject({
    type: z.literal('checkboxes'),
    id,
    attributes: z.strictObject({
      ...field,
      options: z.array(z.strictObject({ label: text, required: z.boolean().optional() })).min(1),
    }),
  }),
]);

const form = z.strictObject({
  name: text,
  description: text,
  title: text.optional(),
  labels: z.array(text).optional(),
  assignees: z.array(text).optional(),
  body: z.array(element).refine(body => body.some(({ type }) => type !== 'markdown')),
});

const chooser = z.strictObject({
  blank_issues_enabled: z.boolean(),
  contact_links: z.array(z.strictObject({ name: text, url: z.url({ protocol: /^https$/ }), about: text })),
});

const folder = '.github/ISSUE_TEMPLATE';
const forms = globSync(`${folder}/*.yml`).filter(file => basename(file) !== 'config.yml');
const read = (file: string) => readFileSync(file, 'utf8');

describe.each(forms)('%s', file => {
  test('has the keys that GitHub knows, and no others', () => {
    const { error } = form.safeParse(parse(read(file)));
    expect(error && z.prettifyError(error)).toBeUndefined();
  });

  test('no two questions have one id or one label', () => {
    const questions = form.parse(parse(read(file))).body.flatMap(one => (one.type === 'markdown' ? [] : [one]));
    expect(distinct(questions.map(one => one.id))).toBe(true);
    expect(distinct(questions.map(({ attributes }) => attributes.label))).toBe(true);
  });
});

test('there are forms, and the page to choose from them', () => {
  expect(forms.length).toBeGreaterThan(1);
  const { error } = chooser.safeParse(parse(read(`${folder}/config.yml`)));
  expect(error && z.prettifyError(error)).toBeUndefined();
});

const pages = ['CONTRIBUTING.md', 'SECURITY.md', 'CODE_OF_CONDUCT.md', '.github/PULL_REQUEST_TEMPLATE.md', ...forms];

describe.each(pages)('what %s says can be done', file => {
  const page = read(file);
  const code = [...page.matchAll(/```\w*\n(.*?)```|`([^`\n]+)`/gs)].map(([, block, inline]) => block ?? inline ?? '');

  test('npm has its scripts', () => {
    const named = code.flatMap(words => [...words.matchAll(/npm run ([\w-]+)/g)].map(([, name = '']) => name));
    expect(named.filter(name => !(name in manifest.scripts))).toEqual([]);
  });

  test('the files and folders are there', () => {
    const named = code.flatMap(words => words.match(/\b(?:scripts|src|test|docs)\/[\w./-]*/g) ?? []);
    expect(named.filter(path => !existsSync(path))).toEqual([]);
  });

  test('the verbs of dsm2mqtt and their options exist', () => {
    const lines = code.flatMap(
      words => words.match(/(?<!docker exec )dsm2mqtt(?:\.js)? [a-z][a-z-]*(?: --?[a-z-]+)*/g) ?? [],
    );
    for (const line of lines) {
      const [, name, ...flags] = line.split(' ');
      const verb = verbs.find(one => one.name === name);
      expect(verb, line).toBeDefined();
      const known = verb?.options?.flatMap(([words]) => words.split(/[ ,]+/)) ?? [];
      expect(
        flags.filter(flag => !known.includes(flag)),
        line,
      ).toEqual([]);
    }
  });
});

test('the bug form asks for the dump', () => {
  expect(read(`${folder}/bug.yml`)).toContain('dsm2mqtt dump --output');
});

test('what CONTRIBUTING.md changes is there to be changed', () => {
  const [, from = '', file = ''] = /sed -i "s\/('\w+')\/.*" (\S+)/.exec(read('CONTRIBUTING.md')) ?? [];
  expect(read(file)).toContain(from);
});

test('an editor formats as Biome does', () => {
  const { indentStyle, indentWidth, lineWidth } = JSON.parse(read('biome.json')).formatter;
  const editor = read('.editorconfig');
  for (const line of [
    `indent_style = ${indentStyle}`,
    `indent_size = ${indentWidth}`,
    `max_line_length = ${lineWidth}`,
  ])
    expect(editor).toContain(line);
});
