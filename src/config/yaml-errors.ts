/** A sentence of ours for each error code of the YAML parser, whose own sentences quote the file. */

interface Sentence {
  message: string;
  hint: string | null;
}

export function sentenceFor(code: string): Sentence {
  return sentences[code] ?? { message: 'is not valid YAML here', hint: null };
}

const quote = 'put the value in quotes';
const indent = 'indent with spaces, the same number for every key of a section';

const sentences: Readonly<Record<string, Sentence>> = {
  ALIAS_PROPS: { message: 'an alias cannot have an anchor or a tag', hint: null },
  BAD_ALIAS: { message: 'alias without an anchor above it', hint: `if the value really starts with *, ${quote}` },
  BAD_COLLECTION_TYPE: { message: 'the tag does not fit the value', hint: null },
  BAD_DIRECTIVE: { message: 'a line that starts with % is a YAML directive', hint: null },
  BAD_DQ_ESCAPE: {
    message: 'unknown escape in double quotes',
    hint: "write \\\\ for a backslash, or use 'single quotes'",
  },
  BAD_INDENT: { message: 'bad indentation', hint: indent },
  BAD_SCALAR_START: { message: 'a plain value cannot start with this character', hint: quote },
  BLOCK_AS_IMPLICIT_KEY: { message: 'a mapping cannot start here', hint: `if the value contains ": ", ${quote}` },
  BLOCK_IN_FLOW: { message: 'an indented block cannot stand between braces', hint: null },
  DUPLICATE_KEY: { message: 'the key is given twice', hint: 'keep one of the two' },
  KEY_OVER_1024_CHARS: { message: 'the key is too long', hint: null },
  MISSING_CHAR: {
    message: 'something is missing: a quote, a bracket, or the space after a colon',
    hint: 'is one opened above and never closed?',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'expected `key: value` on one line',
    hint: 'is the space after the colon missing?',
  },
  MULTIPLE_ANCHORS: { message: 'two anchors on one value', hint: null },
  MULTIPLE_DOCS: { message: 'a second document starts here', hint: 'remove the line of dashes' },
  MULTIPLE_TAGS: { message: 'two tags on one value', hint: null },
  NON_STRING_KEY: { message: 'a key must be a word', hint: null },
  RESOURCE_EXHAUSTION: { message: 'nested too deeply, or aliases that multiply', hint: null },
  TAB_AS_INDENT: { message: 'a tab cannot indent', hint: indent },
  TAG_RESOLVE_FAILED: {
    message: 'unknown tag',
    hint: `there is no !secret and no !env_var: use password_file or the environment. If the value starts with !, ${quote}`,
  },
  UNEXPECTED_TOKEN: { message: 'not expected here', hint: 'a quote, a bracket or an indentation above may be wrong' },
};
