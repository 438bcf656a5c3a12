/**
 * The shapes of template that discovery writes, rendered as Home Assistant would. Any other shape is a syntax error: among
 * them all that would put a warning in its log by looking into an undefined value, or printing one. `d` is `default`.
 */
export function render(template: string, value_json: unknown): string {
  for (const shape of [plain, sentence, flag, word, number, online, object]) {
    const text = shape(template, value_json);
    if (text !== null) return text;
  }
  throw new SyntaxError(`not one of our templates: ${template}`);
}

type Shape = (template: string, value_json: unknown) => string | null;

/** `{{PLACE|d(none)}}` */
const plain: Shape = (template, value_json) => {
  const [, place] = /^\{\{([^{]+)\|d\(none\)\}\}$/.exec(template) ?? [];
  return place ? print(lookUp(place, value_json) ?? null) : null;
};

/** `{{(PLACE|d('',true))[:LENGTH] or none}}` */
const sentence: Shape = (template, value_json) => {
  const [, place, length] = /^\{\{\((.+)\|d\('',true\)\)\[:(\d+)\] or none\}\}$/.exec(template) ?? [];
  if (!place) return null;
  const value = lookUp(place, value_json) || '';
  if (typeof value !== 'string') throw new TypeError(`Python cannot slice it: ${value}`);
  return print([...value].slice(0, Number(length)).join('') || null);
};

/** `{{ {true:'ON',false:'OFF'}.get(PLACE|d)}}` */
const flag: Shape = (template, value_json) => {
  const [, yes, no, place] = /^\{\{ \{true:'(\w+)',false:'(\w+)'\}\.get\((.+)\|d\)\}\}$/.exec(template) ?? [];
  if (!place) return null;
  const value = lookUp(place, value_json);
  return print((value === true && yes) || (value === false && no) || null);
};

/** `{{ {'WORD':'ON','unknown':none}.get(PLACE|d('unknown'),'OFF')}}`, any words. */
const word: Shape = (template, value_json) => {
  const [, words, place] =
    /^\{\{ \{((?:'\w+':'ON',)+)'unknown':none\}\.get\((.+)\|d\('unknown'\),'OFF'\)\}\}$/.exec(template) ?? [];
  if (!words || !place) return null;
  const value = lookUp(place, value_json) ?? 'unknown';
  return value === 'unknown' ? print(null) : words.includes(`'${value}'`) ? 'ON' : 'OFF';
};

/** `{{PLACE|d|multiply(FACTOR,none)|round(DIGITS,default=none)}}`, the factor or not. */
const number: Shape = (template, value_json) => {
  const [, place, factor, digits] =
    /^\{\{(.+?)\|d(?:\|multiply\(([\d.e-]+),none\))?\|round\((\d),default=none\)\}\}$/.exec(template) ?? [];
  if (!place) return null;
  const value = lookUp(place, value_json);
  return print(typeof value === 'number' ? Number((value * Number(factor ?? 1)).toFixed(Number(digits))) : null);
};

/** `{{'on' if PLACE is true else 'off'}}` */
const online: Shape = (template, value_json) => {
  const [, yes, place, no] = /^\{\{'(\w+)' if (.+) is true else '(\w+)'\}\}$/.exec(template) ?? [];
  return yes && place && no ? (lookUp(place, value_json) === true ? yes : no) : null;
};

/**
 * `{{dict(PLACE|d({},true),name=PLACE|d(none),name='text')|tojson}}`, any of them; the first may
 * also be pairs, the others a switch or what there is of some texts.
 */
const object: Shape = (template, value_json) => {
  const [, inner] = /^\{\{dict\((.+)\)\|tojson\}\}$/.exec(template) ?? [];
  if (!inner) return null;
  return JSON.stringify(Object.assign({}, ...split(inner).map((part, at) => argument(part, at, value_json))));
};

function argument(text: string, at: number, value_json: unknown): object {
  // Python takes no argument without a name after one with.
  const unnamed = at === 0 ? (whole(text, value_json) ?? pairs(text, value_json)) : null;
  if (unnamed) return unnamed;
  const [, name, value] = /^([a-z_]+)=(.+)$/.exec(text) ?? [];
  if (!name || !value) throw new SyntaxError(`not an argument: ${text}`);
  return { [name]: named(value, value_json) };
}

function whole(text: string, value_json: unknown): object | null {
  const [, place] = /^([^[].*)\|d\(\{\},true\)$/.exec(text) ?? [];
  return place ? Object(lookUp(place, value_json) || {}) : null;
}

function pairs(text: string, value_json: unknown): object | null {
  const [, list] = /^\[(.+)\]\|rejectattr\(1,'none'\)$/.exec(text) ?? [];
  if (!list) return null;
  const read = split(list).map(pair => {
    const [, name, place] = /^\('(\w+)',(.+)\|d\(none\)\)$/.exec(pair) ?? [];
    if (!name || !place) throw new SyntaxError(`not a pair: ${pair}`);
    return [name, lookUp(place, value_json) ?? null] as const;
  });
  return Object.fromEntries(read.filter(([, value]) => value !== null));
}

function named(text: string, value_json: unknown): unknown {
  const [, quoted] = /^'((?:[^'\\]|\\.)*)'$/.exec(text) ?? [];
  if (quoted !== undefined) return unquote(quoted);
  const [, list] = /^\[(.+)\]\|select\('string'\)\|join\(' '\)$/.exec(text) ?? [];
  if (list) {
    const texts = split(list).map(item => (item.startsWith("'") ? named(item, value_json) : lookUp(item, value_json)));
    return texts.filter(item => typeof item === 'string').join(' ');
  }
  const [, place, or] = /^(.+)\|d\((none|false,true)\)$/.exec(text) ?? [];
  if (!place) throw new SyntaxError(`not a value: ${text}`);
  const value = lookUp(place, value_json);
  return or === 'none' ? (value ?? null) : value || false;
}

/** At the commas that are in no bracket and in no text. */
function split(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/'(?:[^'\\]|\\.)*'|./gs)) {
    if ('([{'.includes(token)) depth += 1;
    if (')]}'.includes(token)) depth -= 1;
    if (token === ',' && depth === 0) parts.push('');
    else parts.push(parts.pop() + token);
  }
  return parts.map(part => part.trim());
}

/** `value_json.a`, `(value_json.a|d)['b']`; a missing key is undefined, as in Jinja. */
function lookUp(place: string, value_json: unknown): unknown {
  const [, guarded, dotted, quoted] =
    /^(?:value_json|\((.+)\|d\))(?:\.(\w+)|\['((?:[^'\\]|\\.)*)'\])$/.exec(place) ?? [];
  const key = dotted ?? unquote(quoted);
  if (dotted && (/^\d/.test(dotted) || methods.includes(dotted))) throw new SyntaxError(`not a key: .${dotted}`);
  const outer = guarded ? (lookUp(guarded, value_json) ?? {}) : value_json;
  return Object.hasOwn(Object(outer), key) ? Object(outer)[key] : undefined;
}

/** In Jinja a dot finds these of a dict, and those of the text that `d` makes, before it finds a key. */
const methods = [
  ...['clear', 'copy', 'fromkeys', 'get', 'items', 'keys', 'pop', 'popitem', 'setdefault', 'update', 'values'],
  ...['center', 'count', 'encode', 'find', 'format', 'index', 'join', 'lower', 'partition', 'replace', 'split'],
  ...['strip', 'title', 'translate', 'upper', 'zfill'],
];

function unquote(literal: string | undefined): string {
  if (literal === undefined) throw new SyntaxError('not a string');
  return literal.replaceAll(/\\(.)/g, '$1');
}

function print(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}
